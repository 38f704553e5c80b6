using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net.Sockets;
using System.Text;
using Spindle.InteropTests.Processes;

namespace Spindle.InteropTests.Guest;

/// <summary>
/// A running Linux guest: Debian 12's own kernel under QEMU, a stock initiator for what the test serves on the host. One guest serves any
/// number of scripts, one after another or at once, while the test does its part on the host. Disposing of it is a power cut.
/// </summary>
/// <remarks>
/// The host's 127.0.0.1 is <see cref="HostAddress"/> in the guest; 127.0.0.2 (and all of 127.0.0.0/8 but 127.0.0.1) is the host under the same
/// address on both sides, which is what discovery needs. The guest has nvme-cli, fio, e2fsprogs, xfsprogs, coreutils, util-linux, busybox.
/// Requests and answers go over a virtio serial port, the scripts and their output through a folder shared over 9p.
/// </remarks>
public sealed class LinuxGuest : IAsyncDisposable
{
    /// <summary>The host's 127.0.0.1 as the guest sees it.</summary>
    public const string HostAddress = "10.0.2.2";

    /// <summary>The guest's path of <see cref="SharedFolder"/>.</summary>
    public const string GuestSharedFolder = "/run/guest/shared";

    readonly string folder, console;
    readonly Process qemu;
    readonly ChildGuard guard;
    readonly Socket control;
    readonly TestLog log;
    readonly ConcurrentDictionary<int, GuestJob> jobs = new();
    readonly SemaphoreSlim sending = new(1, 1);
    readonly TaskCompletionSource<string> ready = new(TaskCreationOptions.RunContinuationsAsynchronously);
    readonly Task reader;
    int lastJob;
    Exception? death;

    LinuxGuest(string folder, string console, Process qemu, ChildGuard guard, Socket control, TestLog log)
    {
        (this.folder, this.console, this.qemu, this.guard, this.control, this.log) = (folder, console, qemu, guard, control, log);
        reader = ReadAnswersAsync();
    }

    /// <summary>A folder of the host's that the guest sees read-write at <see cref="GuestSharedFolder"/>.</summary>
    public string SharedFolder => Path.Combine(folder, "run", "shared");

    /// <summary>The kernel's version, as <c>uname -r</c> gives it.</summary>
    public string KernelVersion { get; private set; } = "";

    /// <summary>The file with the kernel's messages; it stays when the guest is gone.</summary>
    public string ConsoleLog => console;

    /// <summary>Boots a guest and waits until it takes commands. Skips or fails the test where QEMU or the guest's image is missing.</summary>
    /// <param name="options">How to start it.</param>
    /// <param name="ct">Gives up the start.</param>
    /// <exception cref="GuestException">It did not start; the message has the console's end.</exception>
    public static async Task<LinuxGuest> StartAsync(GuestOptions? options = null, CancellationToken ct = default)
    {
        options ??= new GuestOptions();
        var program = RequiredTool.Find("qemu-system-x86_64");
        var image = await GuestImage.FindAsync(ct);

        var logs = Repository.LogFolder("guest");
        var log = new TestLog(Path.Combine(logs, "scripts.log"));
        var console = Path.Combine(logs, "console.log");
        var folder = Directory.CreateTempSubdirectory("spindle-guest-").FullName; // short: it has a socket in it
        Directory.CreateDirectory(Path.Combine(folder, "run", "jobs"));
        Directory.CreateDirectory(Path.Combine(folder, "run", "shared"));
        var socket = Path.Combine(folder, "control");
        using var listener = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        listener.Bind(new UnixDomainSocketEndPoint(socket));
        listener.Listen(1);

        var start = new ProcessStartInfo(program) { UseShellExecute = false, RedirectStandardError = true, RedirectStandardOutput = true, RedirectStandardInput = true };
        foreach (var argument in QemuArguments.For(image, options, Path.Combine(folder, "run"), socket, console)) start.ArgumentList.Add(argument);
        var clock = Stopwatch.StartNew();
        var qemu = Process.Start(start)!;
        qemu.OutputDataReceived += (_, line) => { if (line.Data is not null) log.Line("qemu: " + line.Data); };
        qemu.ErrorDataReceived += (_, line) => { if (line.Data is not null) log.Line("qemu: " + line.Data); };
        qemu.BeginOutputReadLine();
        qemu.BeginErrorReadLine();
        var guard = new ChildGuard(qemu);

        using var limit = CancellationTokenSource.CreateLinkedTokenSource(ct);
        limit.CancelAfter(options.BootTimeout);
        LinuxGuest? guest = null;
        try
        {
            var connecting = listener.AcceptAsync(limit.Token).AsTask();
            if (await Task.WhenAny(connecting, qemu.WaitForExitAsync(limit.Token)) != connecting)
                throw new GuestException($"QEMU ended at once with exit status {qemu.ExitCode}; {log.File}:\n{Console(log.File)}");
            guest = new LinuxGuest(folder, console, qemu, guard, await connecting, log);
            guest.KernelVersion = await guest.ready.Task.WaitAsync(limit.Token);
            log.Line($"guest: Linux {guest.KernelVersion} is up after {clock.Elapsed.TotalSeconds:0.0} s; logs: {logs}");
            return guest;
        }
        catch (Exception e)
        {
            if (guest is not null) await guest.DisposeAsync();
            else await CleanUpAsync(qemu, guard, folder);
            if (e is OperationCanceledException && !ct.IsCancellationRequested)
                throw new GuestException($"The guest did not start within {options.BootTimeout.TotalSeconds:0} s. Its console ({console}) ends:\n{Console(console)}");
            throw;
        }
    }

    /// <summary>Runs a bash script in the guest, as root in /root, and waits for its end.</summary>
    /// <param name="script">The script's text.</param>
    /// <param name="timeout">The time left to it; 60 s when not given.</param>
    /// <param name="ct">Ends the wait, not the script.</param>
    /// <returns>What came of it; the exit status is the caller's to judge (<see cref="GuestResult.Succeeded"/>).</returns>
    /// <exception cref="GuestTimeoutException">It did not end in time and was killed.</exception>
    /// <exception cref="GuestException">The guest died.</exception>
    public async Task<GuestResult> RunAsync(string script, TimeSpan? timeout = null, CancellationToken ct = default)
    {
        var job = await StartJobAsync(script);
        return await job.WaitAsync(timeout ?? TimeSpan.FromSeconds(60), ct);
    }

    /// <summary>Starts a bash script in the guest and returns while it runs.</summary>
    /// <param name="script">The script's text.</param>
    public async Task<GuestJob> StartJobAsync(string script)
    {
        var id = Interlocked.Increment(ref lastJob);
        var files = Path.Combine(folder, "run", "jobs", id.ToString());
        await File.WriteAllTextAsync(files + ".sh", script.ReplaceLineEndings("\n") + "\n");
        var log = this.log.ForThisTest();
        foreach (var line in script.Trim().ReplaceLineEndings("\n").Split('\n')) log.Line($"guest {id}$ {line}");
        var job = new GuestJob(this, id, files, log);
        jobs[id] = job;
        if (death is not null) job.Fail(death); // it may have died before the job was listed
        await SendAsync($"run {id}");
        return job;
    }

    /// <summary>Ends the guest like a power cut, and keeps its logs.</summary>
    public async ValueTask DisposeAsync()
    {
        await CleanUpAsync(qemu, guard, null);
        control.Dispose();
        await reader;
        foreach (var job in jobs.Values) await Task.WhenAny(job.Completion, Task.Delay(1000));
        await CleanUpAsync(null, null, folder);
        sending.Dispose();
    }

    internal async Task SendAsync(string request)
    {
        await sending.WaitAsync();
        try
        {
            if (death is null) await control.SendAsync(Encoding.ASCII.GetBytes(request + "\n"));
        }
        catch (SocketException) { } // the reader finds out too, and tells it to every job
        finally { sending.Release(); }
    }

    async Task ReadAnswersAsync()
    {
        try
        {
            using var stream = new NetworkStream(control, ownsSocket: false);
            using var lines = new StreamReader(stream, Encoding.ASCII);
            while (await lines.ReadLineAsync() is { } line)
            {
                var words = line.Split(' ');
                if (words is ["ready", var version]) ready.TrySetResult(version);
                else if (words is ["exit", var id, var status] && int.TryParse(id, out var number) && int.TryParse(status, out var code)
                    && jobs.TryRemove(number, out var job)) job.End(code);
                else log.Line($"guest: not understood: {line}");
            }
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException or SocketException) { }

        death = new GuestException($"The guest ended. Its console ({console}) ends:\n{Console(console)}");
        ready.TrySetException(death);
        _ = ready.Task.Exception; // seen: nobody waits for it after the start
        foreach (var job in jobs.Values)
        {
            job.Fail(death);
            _ = job.Completion.ContinueWith(static done => done.Exception, TaskScheduler.Default);
        }
    }

    static string Console(string file) => File.Exists(file) ? string.Join('\n', File.ReadLines(file).TakeLast(60)) : "(empty)";

    static async Task CleanUpAsync(Process? qemu, ChildGuard? guard, string? folder)
    {
        if (qemu is not null)
        {
            if (!qemu.HasExited) qemu.Kill();
            await qemu.WaitForExitAsync();
            guard?.Dispose();
            qemu.Dispose();
        }

        if (folder is not null) Directory.Delete(folder, recursive: true);
    }
}
