using System.Diagnostics;
using System.Runtime.InteropServices;
using Microsoft.Extensions.Logging;

namespace Spindle.Host.Faults;

/// <summary>Writes a dump of this process by the runtime's own tool, so that the full stack of what hangs can be read afterwards (<c>dotnet-dump analyze</c>, <c>clrstack -all</c>).</summary>
internal static class ProcessDump
{
    private static int s_running;

    /// <summary>Writes one; returns its path, or null when it could not be written, which is logged.</summary>
    public static string? Write(string folder, ILogger log)
    {
        if (Interlocked.Exchange(ref s_running, 1) != 0) return null;
        try
        {
            var tool = Path.Combine(RuntimeEnvironment.GetRuntimeDirectory(), "createdump");
            if (!File.Exists(tool))
            {
                log.LogError("There is no dump: the runtime has no {Tool}.", tool);
                return null;
            }
            Directory.CreateDirectory(folder);
            var path = Path.Combine(folder, $"spindle-{Environment.ProcessId}-{DateTime.UtcNow:yyyyMMddHHmmss}.dmp");
            var start = new ProcessStartInfo(tool) { RedirectStandardOutput = true, RedirectStandardError = true };
            // Stacks and the objects they refer to, without the heap: seconds, not minutes.
            foreach (var argument in (ReadOnlySpan<string>)["--normal", "--name", path, Environment.ProcessId.ToString(System.Globalization.CultureInfo.InvariantCulture)]) start.ArgumentList.Add(argument);
            using var process = Process.Start(start)!;
            var output = process.StandardOutput.ReadToEndAsync();
            var errors = process.StandardError.ReadToEndAsync();
            if (!process.WaitForExit(TimeSpan.FromSeconds(60)))
            {
                process.Kill();
                log.LogError("There is no dump: {Tool} did not end within 60 s.", tool);
                return null;
            }
            if (process.ExitCode != 0 || !File.Exists(path))
            {
                log.LogError("There is no dump: {Tool} failed with {Code}: {Text}", tool, process.ExitCode, $"{output.Result}{errors.Result}".Trim());
                return null;
            }
            log.LogCritical("A dump is in {Path}; read it by 'dotnet-dump analyze' and 'clrstack -all'.", path);
            return path;
        }
        catch (Exception e)
        {
            log.LogError("There is no dump: {Text}", e.Message);
            return null;
        }
        finally
        {
            Volatile.Write(ref s_running, 0);
        }
    }
}

/// <summary>Ends the process, or replaces it by a new one, when a reactor hangs and the policy says so: nothing else brings a thread back from code that does not return.</summary>
internal static unsafe partial class ProcessEnd
{
    /// <summary>The exit code of a process that ends because a reactor hangs: EX_SOFTWARE of sysexits(3).</summary>
    public const int HangExitCode = 70;

    /// <summary>Takes the action; returns only if the process could not be replaced.</summary>
    public static void Take(HangAction action, ILogger log)
    {
        if (action == HangAction.Restart)
        {
            log.LogCritical("The process starts itself again.");
            Thread.Sleep(100); // the log is written by a thread
            Exec(log);
        }
        log.LogCritical("The process ends with exit code {Code}.", HangExitCode);
        Thread.Sleep(100);
        // No finally blocks and no exit handlers: they could wait for what hangs.
        _exit(HangExitCode);
    }

    private static void Exec(ILogger log)
    {
        try
        {
            var arguments = File.ReadAllText("/proc/self/cmdline").TrimEnd('\0').Split('\0');
            var vector = stackalloc byte*[arguments.Length + 1];
            for (int i = 0; i < arguments.Length; i++) vector[i] = (byte*)Marshal.StringToCoTaskMemUTF8(arguments[i]);
            vector[arguments.Length] = null;
            execv("/proc/self/exe", vector);
            log.LogError("The process could not start itself again: {Error}", Marshal.GetLastPInvokeErrorMessage());
        }
        catch (Exception e)
        {
            log.LogError("The process could not start itself again: {Text}", e.Message);
        }
    }

    [LibraryImport("libc", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    private static partial int execv(string path, byte** arguments);

    [LibraryImport("libc")]
    private static partial void _exit(int status);
}
