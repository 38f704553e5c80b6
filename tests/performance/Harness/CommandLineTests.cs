using System.Diagnostics;

namespace Spindle.PerformanceTests.Harness;

/// <summary>The program as a person uses it, as far as nothing is measured.</summary>
[Trait("Category", "Slow")]
public sealed class CommandLineTests
{
    private static (int ExitCode, string Output) Run(params string[] arguments)
    {
        var start = new ProcessStartInfo(Path.Combine(Repository.Root, "tests", "bench", "bin", "Release", "net10.0", "Spindle.Bench"))
        {
            RedirectStandardOutput = true, RedirectStandardError = true,
        };
        foreach (string argument in arguments) start.ArgumentList.Add(argument);
        using var process = Process.Start(start)!;
        var error = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        Assert.True(process.WaitForExit(60_000));
        return (process.ExitCode, output + error.Result);
    }

    [Fact]
    public void Help_has_examples_and_their_scenarios_exist()
    {
        var (exitCode, output) = Run("--help");
        Assert.Equal(0, exitCode);
        var examples = output.Split('\n').Where(line => line.Contains("./build.sh bench ")).ToList();
        Assert.True(examples.Count >= 4, output);
        foreach (string example in examples)
        {
            // The example itself, but listing instead of measuring: its options and scenarios must be understood.
            var words = example[(example.IndexOf("bench ", StringComparison.Ordinal) + 6)..].Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(word => word.Trim('\''));
            var (listed, text) = Run([.. words.Where(word => word != "--list"), "--list"]);
            Assert.True(listed == 0 && text.Trim().Length > 0, $"{example}: {text}");
        }
    }

    [Theory]
    [InlineData("--pairs", "0")]
    [InlineData("--time", "0")]
    [InlineData("--warmup", "-1")]
    [InlineData("--no-such-option", "")]
    [InlineData("--page", "x.md")]
    public void A_wrong_option_is_named(string option, string value)
    {
        var (exitCode, output) = Run(option, value);
        Assert.NotEqual(0, exitCode);
        Assert.Contains(option, output);
    }

    [Fact]
    public void A_scenario_that_is_none_is_named()
    {
        var (exitCode, output) = Run("bdev/floppy/*");
        Assert.Equal(2, exitCode);
        Assert.Contains("no scenario is named like 'bdev/floppy/*'", output);
    }

    [Fact]
    public void A_peer_that_is_no_build_tree_is_refused_before_anything_runs()
    {
        var (exitCode, output) = Run("--peer", Path.GetTempPath(), "--spindle", Path.Combine(Repository.Root, "build.sh"), "process/first-rpc");
        Assert.Equal(2, exitCode);
        Assert.Contains("not an SPDK build tree", output);
    }

    [Fact]
    public void A_baseline_that_is_no_report_is_refused()
    {
        var (exitCode, output) = Run("--baseline", Path.Combine(Repository.Root, "global.json"), "process/first-rpc");
        Assert.Equal(2, exitCode);
        Assert.Contains("global.json", output);
    }
}
