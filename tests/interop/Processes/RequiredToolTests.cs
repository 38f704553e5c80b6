namespace Spindle.InteropTests.Processes;

/// <summary>What becomes of a test that lacks a tool.</summary>
public sealed class RequiredToolTests
{
    const string NoSuchTool = "spindle-no-such-tool";

    [Fact]
    public void A_tool_is_found_with_its_path() => Assert.True(File.Exists(RequiredTool.Find("bash")));

    [Fact]
    public void A_missing_tool_skips_the_test_or_fails_it_in_CI_and_names_tool_and_remedy()
    {
        Exception? outcome = null;
        try { RequiredTool.Require("bash", NoSuchTool); }
        catch (Exception e) { outcome = e; } // Record.Exception lets a skip through
        Assert.NotNull(outcome);
        Assert.Equal(!RequiredTool.Strict, outcome.Message.StartsWith("$XunitDynamicSkip$", StringComparison.Ordinal));
        Assert.Contains(NoSuchTool, outcome.Message);
        Assert.DoesNotContain("bash", outcome.Message);
        Assert.Contains("./build.sh deps", outcome.Message);
    }
}
