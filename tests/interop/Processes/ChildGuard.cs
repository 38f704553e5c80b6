using System.Diagnostics;

namespace Spindle.InteropTests.Processes;

/// <summary>
/// Kills a child process when this process ends without having done so, however it ends. A small shell waits for the end of its input, which
/// the kernel closes with this process (a parent-death signal would follow the thread that started the child, not the process).
/// </summary>
sealed class ChildGuard : IDisposable
{
    readonly Process shell;

    public ChildGuard(Process child)
    {
        var start = new ProcessStartInfo("bash") { RedirectStandardInput = true, UseShellExecute = false };
        foreach (var argument in new[] { "-c", "read -r _; kill -KILL \"$0\" 2>/dev/null", child.Id.ToString() }) start.ArgumentList.Add(argument);
        shell = Process.Start(start)!;
    }

    /// <summary>Call it when the child has ended: the number may belong to another process soon.</summary>
    public void Dispose()
    {
        if (!shell.HasExited) shell.Kill();
        shell.WaitForExit();
        shell.Dispose();
    }
}
