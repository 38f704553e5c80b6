using System.Diagnostics;
using System.Net.Sockets;
using System.Text;

namespace Spindle.UnitTests.Hosting;

/// <summary>The <c>spindle</c> command as a process of its own. It starts slowly on a busy machine, so these tests are few.</summary>
[Trait("Category", "Slow")]
public sealed class CommandLineTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("spindle-cli-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private static Process Start(params string[] arguments)
    {
        var start = new ProcessStartInfo("dotnet") { RedirectStandardOutput = true, RedirectStandardError = true };
        // The program of the build that the tests are of.
        start.ArgumentList.Add(Path.Combine(AppContext.BaseDirectory, "spindle.dll"));
        foreach (var argument in arguments) start.ArgumentList.Add(argument);
        return Process.Start(start)!;
    }

    private static async Task<(int ExitCode, string Output, string Error)> RunAsync(params string[] arguments)
    {
        using var process = Start(arguments);
        var output = process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        var error = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken).WaitAsync(TimeSpan.FromMinutes(2), TestContext.Current.CancellationToken);
        return (process.ExitCode, await output, await error);
    }

    [Theory]
    [InlineData("frob", "frob")]
    [InlineData("run --speed", "--speed")]
    [InlineData("run --ring kqueue", "kqueue")]
    [InlineData("run -c a --no-config", "exclude each other")]
    [InlineData("perf", "needs a tool")]
    public async Task Wrong_use_is_said_on_standard_error_with_status_2(string arguments, string expected)
    {
        var (exitCode, output, error) = await RunAsync(arguments.Split(' '));
        Assert.Equal(2, exitCode);
        Assert.Contains(expected, error);
        Assert.Contains("--help", error);
        Assert.Empty(output);
    }

    [Fact]
    public async Task A_mistake_in_the_manifest_is_named_with_its_line()
    {
        File.WriteAllText(Path.Combine(_folder, "app.json"), "{\n  \"name\": \"a\",\n  \"reactors\": { \"pollMode\": \"fast\" }\n}");
        var (exitCode, _, error) = await RunAsync("run", _folder);
        Assert.Equal(1, exitCode);
        Assert.Contains("line 3, reactors.pollMode", error);
    }

    [Fact]
    public async Task An_app_runs_until_sigterm_and_a_second_one_cannot_take_its_socket()
    {
        var socket = Path.Combine(_folder, "rpc.sock");
        File.WriteAllText(Path.Combine(_folder, "app.json"), $$"""{ "name": "empty", "rpc": { "socket": "{{socket}}" } }""");
        using var process = Start("run", _folder);
        Assert.Contains("0.1.0", await CallAsync(socket, "spdk_get_version"));
        Assert.Equal("empty", (await process.StandardOutput.ReadLineAsync(TestContext.Current.CancellationToken))!.Split(':')[0]);

        var (exitCode, _, error) = await RunAsync("run", _folder);
        Assert.Equal(1, exitCode);
        Assert.Contains(socket, error);
        Assert.Contains("in use", error);

        (exitCode, var text, _) = await RunAsync("rpc", "rpc_get_schema", "--help", "-s", socket);
        Assert.Equal(0, exitCode);
        Assert.Contains("spindle rpc rpc_get_schema", text);
        Assert.Contains("Only this method", text);
        (exitCode, _, error) = await RunAsync("rpc", "no_such_method", "--help", "-s", socket);
        Assert.Equal(1, exitCode);
        Assert.Contains("no_such_method", error);
        Assert.Equal("thread_get_pollers\nthread_get_stats\n", await SuggestAsync($"spindle rpc -s {socket} thread_get_"));
        Assert.Equal("include_aliases=\n", await SuggestAsync($"spindle rpc -s {socket} rpc_get_methods current=true incl"));
        Assert.Equal("current=false\ncurrent=true\n", await SuggestAsync($"spindle rpc -s {socket} rpc_get_methods current="));
        Assert.Contains("stack\n", await SuggestAsync("spindle sta"));

        using (var kill = Process.Start("kill", ["-TERM", process.Id.ToString(System.Globalization.CultureInfo.InvariantCulture)])) await kill.WaitForExitAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken).WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);
        Assert.Equal(0, process.ExitCode);
        Assert.False(File.Exists(socket));
    }

    /// <summary>What the scripts of 'spindle completion' ask.</summary>
    private static async Task<string> SuggestAsync(string line) => (await RunAsync($"[suggest:{line.Length}]", line)).Output;

    [Theory]
    [InlineData("bash", "-n")]
    [InlineData("zsh", null)]
    [InlineData("fish", null)]
    public async Task A_completion_script_is_one_that_the_shell_reads(string shell, string? check)
    {
        var (exitCode, script, _) = await RunAsync("completion", shell);
        Assert.Equal(0, exitCode);
        Assert.Contains("suggest:", script);
        if (check is null) return; // not every machine has the shell
        File.WriteAllText(Path.Combine(_folder, "script"), script);
        using var reading = Process.Start(shell, [check, Path.Combine(_folder, "script")]);
        await reading.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.Equal(0, reading.ExitCode);
    }

    private static async Task<string> CallAsync(string path, string method)
    {
        var end = Stopwatch.StartNew();
        while (true)
        {
            using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            try
            {
                await socket.ConnectAsync(new UnixDomainSocketEndPoint(path), TestContext.Current.CancellationToken);
                await socket.SendAsync(Encoding.UTF8.GetBytes($$"""{"jsonrpc":"2.0","id":1,"method":"{{method}}"}"""), TestContext.Current.CancellationToken);
                var buffer = new byte[65536];
                return Encoding.UTF8.GetString(buffer, 0, await socket.ReceiveAsync(buffer, TestContext.Current.CancellationToken));
            }
            catch (SocketException) when (end.Elapsed < TimeSpan.FromMinutes(1))
            {
                await Task.Delay(20, TestContext.Current.CancellationToken);
            }
        }
    }
}
