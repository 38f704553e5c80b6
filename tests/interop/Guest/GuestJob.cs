using System.Text;
using Spindle.InteropTests.Processes;

namespace Spindle.InteropTests.Guest;

/// <summary>A script that runs in the guest. Its output is in files that guest and host share, and is copied to the test's log as it comes.</summary>
public sealed class GuestJob
{
    readonly LinuxGuest guest;
    readonly string files;
    readonly TaskCompletionSource<int> exit = new(TaskCreationOptions.RunContinuationsAsynchronously);
    readonly Task<GuestResult> completion;

    internal GuestJob(LinuxGuest guest, int id, string files, TestLog log)
    {
        this.guest = guest;
        this.files = files;
        Id = id;
        completion = FollowAsync(log);
    }

    internal int Id { get; }

    /// <summary>Ends with the script; fails with <see cref="GuestException"/> when the guest dies first.</summary>
    public Task<GuestResult> Completion => completion;

    /// <summary>The standard output so far.</summary>
    public string Output => Read(files + ".out");

    /// <summary>The standard error so far.</summary>
    public string Error => Read(files + ".err");

    /// <summary>Kills the script and everything it started in its session; <see cref="Completion"/> tells when it has ended.</summary>
    public Task KillAsync() => guest.SendAsync($"kill {Id}");

    /// <summary>Waits for the script's end; kills it and throws <see cref="GuestTimeoutException"/> when that does not come in time.</summary>
    /// <param name="timeout">The time left to it.</param>
    /// <param name="ct">Ends the wait, not the script.</param>
    public async Task<GuestResult> WaitAsync(TimeSpan timeout, CancellationToken ct = default)
    {
        try
        {
            return await completion.WaitAsync(timeout, ct);
        }
        catch (TimeoutException)
        {
            await KillAsync();
            // A process that waits for a dead device cannot be killed; the guest stays usable all the same.
            await Task.WhenAny(completion, Task.Delay(TimeSpan.FromSeconds(5), ct));
            var soFar = new GuestResult(-1, Output, Error);
            throw new GuestTimeoutException($"The script in the guest did not end within {timeout.TotalSeconds:0.#} s.{soFar.Tail()}", soFar);
        }
    }

    internal void End(int status) => exit.TrySetResult(status);

    internal void Fail(Exception cause) => exit.TrySetException(cause);

    async Task<GuestResult> FollowAsync(TestLog log)
    {
        var streams = new[] { new Follower(files + ".out", $"guest {Id}> ", log), new Follower(files + ".err", $"guest {Id}! ", log) };
        while (await Task.WhenAny(exit.Task, Task.Delay(100)) != exit.Task)
            foreach (var stream in streams) stream.Copy(toEnd: false);
        foreach (var stream in streams) stream.Copy(toEnd: true);
        return new GuestResult(await exit.Task, Output, Error);
    }

    static string Read(string file)
    {
        if (!File.Exists(file)) return "";
        using var stream = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        using var reader = new StreamReader(stream, Encoding.UTF8);
        return reader.ReadToEnd();
    }

    /// <summary>Copies a growing file to the log, line by line.</summary>
    sealed class Follower(string file, string prefix, TestLog log)
    {
        readonly List<byte> line = [];
        long position;

        public void Copy(bool toEnd)
        {
            if (File.Exists(file))
            {
                using var stream = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
                stream.Position = position;
                var buffer = new byte[16384];
                for (int n; (n = stream.Read(buffer)) > 0; position += n)
                    foreach (var b in buffer.AsSpan(0, n))
                        if (b == '\n') Write();
                        else line.Add(b);
            }

            if (toEnd && line.Count > 0) Write();
        }

        void Write()
        {
            log.Line(prefix + Encoding.UTF8.GetString([.. line]));
            line.Clear();
        }
    }
}
