namespace Spindle.InteropTests.Processes;

/// <summary>Writes to the output of the test that was running when it was made, and to a file.</summary>
sealed class TestLog
{
    readonly ITestOutputHelper? output = TestContext.Current.TestOutputHelper;
    readonly Lock gate;

    public TestLog(string file) : this(file, new Lock()) { }

    TestLog(string file, Lock gate) => (File, this.gate) = (file, gate);

    /// <summary>The file's full path.</summary>
    public string File { get; }

    /// <summary>The same file, with the output of the test that runs now.</summary>
    public TestLog ForThisTest() => new(File, gate);

    public void Line(string text)
    {
        lock (gate)
        {
            System.IO.File.AppendAllText(File, text + "\n");
            try { output?.WriteLine(text); }
            catch (InvalidOperationException) { } // a line that comes after the test's end is in the file
        }
    }
}
