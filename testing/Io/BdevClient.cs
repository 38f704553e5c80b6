using Spindle.Bdevs;
using Spindle.Memory;
using Spindle.Threading;

namespace Spindle.Testing;

/// <summary>Opens a bdev on one storage thread, and lets a test submit from anywhere. It checks of each I/O that the callback comes exactly once, on
/// that thread, and never inside the submission.</summary>
public sealed class BdevClient : IAsyncDisposable
{
    private readonly TestHost _host;
    private IBdevDescriptor? _descriptor;
    private IBdevChannel? _channel;
    private int _outstanding;
    private TaskCompletionSource? _drained;
    private bool _closeWhenRemoved;

    private BdevClient(TestHost host, IStorageThread thread)
    {
        _host = host;
        Thread = thread;
    }

    /// <summary>The storage thread it does everything on.</summary>
    public IStorageThread Thread { get; }
    /// <summary>The open bdev.</summary>
    public IBdevDescriptor Descriptor => _descriptor!;

    /// <summary>On the client's thread only.</summary>
    public IBdevChannel Channel => _channel!;

    /// <summary>The bdev.</summary>
    public Bdev Bdev { get; private set; } = null!;
    /// <summary>Bytes of a block as the client sees it.</summary>
    public uint BlockSize { get; private set; }

    /// <summary>What the descriptor was told, in order.</summary>
    public List<BdevEventType> Events { get; } = [];

    /// <summary>Completes when the channel was put and the descriptor closed.</summary>
    public TaskCompletionSource Closed { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>I/Os that were accepted and have not completed.</summary>
    public int Outstanding => Volatile.Read(ref _outstanding);

    /// <param name="host">The host.</param>
    /// <param name="name">The bdev.</param>
    /// <param name="write">Open for writing.</param>
    /// <param name="worker">Which of the host's workers.</param>
    /// <param name="closeWhenRemoved">Do what an opener has to do on removal: drain, put, close.</param>
    public static Task<BdevClient> OpenAsync(TestHost host, string name, bool write = true, int worker = 0, bool closeWhenRemoved = false) =>
        OpenAsync(host, name, new BdevOpenOptions { Write = write }, worker, closeWhenRemoved);

    /// <param name="host">The host.</param>
    /// <param name="name">The bdev.</param>
    /// <param name="options">How to open it.</param>
    /// <param name="worker">Which of the host's workers.</param>
    /// <param name="closeWhenRemoved">Do what an opener has to do on removal: drain, put, close.</param>
    public static async Task<BdevClient> OpenAsync(TestHost host, string name, BdevOpenOptions options, int worker = 0, bool closeWhenRemoved = false)
    {
        var client = new BdevClient(host, host.Workers[worker % host.Workers.Count]) { _closeWhenRemoved = closeWhenRemoved };
        await client.OnThreadAsync(() =>
        {
            client._descriptor = host.Registry.Open(name, options, OnEvent, client);
            client.Bdev = client._descriptor.Bdev;
            client.BlockSize = client._descriptor.BlockSize;
            try
            {
                client._channel = client._descriptor.GetChannel();
            }
            catch
            {
                client._descriptor.Close();
                throw;
            }
        });
        return client;
    }

    private static void OnEvent(BdevEventType type, Bdev bdev, object? state)
    {
        var self = (BdevClient)state!;
        if (!self.Thread.IsCurrent) self._host.Observe($"event {type} of '{bdev.Name}' on another thread than the opener's");
        lock (self.Events) self.Events.Add(type);
        if (type == BdevEventType.Remove && self._closeWhenRemoved) _ = self.CloseHereAsync();
    }

    /// <summary>Runs something on the client's thread.</summary>
    public Task OnThreadAsync(Action action) => Thread.InvokeAsync(() =>
    {
        action();
        return Task.CompletedTask;
    });

    /// <summary>Submits, and tells how it ended.</summary>
    public Task<Outcome> SubmitAsync(Func<IBdevChannel, BdevIoCallback, object, int> submit)
    {
        var pending = new Pending(this);
        bool sent = Thread.Send(static s => ((Pending)s!).Submit(), pending.With(submit));
        Check.That(sent, "the client's thread has exited");
        return pending.Done.Task.WaitAsync(_host.Options.Patience);
    }

    /// <summary>Reads blocks.</summary>
    public Task<Outcome> ReadAsync(TestBuffer buffer, ulong offset, ulong blocks) =>
        SubmitAsync((c, done, state) => c.Read(buffer.Vectors, offset, blocks, done, state));

    /// <summary>Writes blocks.</summary>
    public Task<Outcome> WriteAsync(TestBuffer buffer, ulong offset, ulong blocks) =>
        SubmitAsync((c, done, state) => c.Write(buffer.Vectors, offset, blocks, done, state));

    /// <summary>Compares blocks with a buffer.</summary>
    public Task<Outcome> CompareAsync(TestBuffer buffer, ulong offset, ulong blocks) =>
        SubmitAsync((c, done, state) => c.Compare(buffer.Vectors, offset, blocks, done, state));

    /// <summary>Writes if equal.</summary>
    public Task<Outcome> CompareAndWriteAsync(TestBuffer compare, TestBuffer write, ulong offset, ulong blocks) =>
        SubmitAsync((c, done, state) => c.CompareAndWrite(compare.Vectors, write.Vectors, offset, blocks, done, state));

    /// <summary>Makes blocks read as zeroes.</summary>
    public Task<Outcome> WriteZeroesAsync(ulong offset, ulong blocks) => SubmitAsync((c, done, state) => c.WriteZeroes(offset, blocks, done, state));

    /// <summary>Deallocates blocks.</summary>
    public Task<Outcome> UnmapAsync(ulong offset, ulong blocks) => SubmitAsync((c, done, state) => c.Unmap(offset, blocks, done, state));

    /// <summary>Makes completed writes durable.</summary>
    public Task<Outcome> FlushAsync(ulong offset, ulong blocks) => SubmitAsync((c, done, state) => c.Flush(offset, blocks, done, state));

    /// <summary>Copies blocks within the bdev.</summary>
    public Task<Outcome> CopyAsync(ulong to, ulong from, ulong blocks) => SubmitAsync((c, done, state) => c.Copy(to, from, blocks, done, state));

    /// <summary>Resets the bdev.</summary>
    public Task<Outcome> ResetAsync() => SubmitAsync(static (c, done, state) => c.Reset(done, state));

    /// <summary>Writes at a zone's write pointer.</summary>
    public Task<Outcome> ZoneAppendAsync(TestBuffer buffer, ulong zoneStart, ulong blocks) =>
        SubmitAsync((c, done, state) => c.ZoneAppend(buffer.Vectors, zoneStart, blocks, done, state));

    /// <summary>Changes the state of a zone.</summary>
    public Task<Outcome> ZoneManagementAsync(ulong zoneStart, BdevZoneAction action) => SubmitAsync((c, done, state) => c.ZoneManagement(zoneStart, action, done, state));

    /// <summary>Finds out what zones are.</summary>
    public Task<Outcome> GetZoneInfoAsync(ulong zoneStart, Memory<BdevZoneInfo> zones) => SubmitAsync((c, done, state) => c.GetZoneInfo(zoneStart, zones, done, state));

    /// <summary>Finds out what zones are and returns it.</summary>
    public async Task<BdevZoneInfo[]> GetZonesAsync(ulong zoneStart, int count)
    {
        var zones = new BdevZoneInfo[count];
        var outcome = await GetZoneInfoAsync(zoneStart, zones);
        Check.That(outcome.IsSuccess, $"information on {count} zones from block {zoneStart}: {outcome}");
        return zones;
    }

    /// <summary>Reads into new memory and returns it.</summary>
    public async Task<byte[]> ReadBytesAsync(ulong offset, ulong blocks)
    {
        using var buffer = new TestBuffer((int)(blocks * BlockSize));
        buffer.Fill(0xA5);
        var outcome = await ReadAsync(buffer, offset, blocks);
        Check.That(outcome.IsSuccess, $"read of {blocks} blocks at {offset}: {outcome}");
        return buffer.ToArray();
    }

    /// <summary>Writes bytes.</summary>
    public async Task WriteBytesAsync(ulong offset, byte[] data)
    {
        using var buffer = new TestBuffer(data.Length);
        buffer.Set(data);
        var outcome = await WriteAsync(buffer, offset, (ulong)data.Length / BlockSize);
        Check.That(outcome.IsSuccess, $"write of {data.Length} bytes at {offset}: {outcome}");
    }

    /// <summary>Waits for what is outstanding, puts the channel, closes the descriptor.</summary>
    public async ValueTask DisposeAsync()
    {
        if (!Closed.Task.IsCompleted) await Thread.InvokeAsync(CloseHereAsync).WaitAsync(_host.Options.Patience);
        await Closed.Task.WaitAsync(_host.Options.Patience);
    }

    private async Task CloseHereAsync()
    {
        if (_outstanding > 0)
        {
            _drained ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            await _drained.Task;
        }
        if (_channel is null) return;
        _channel.Put();
        _channel = null;
        _descriptor!.Close();
        Closed.TrySetResult();
    }

    /// <summary>One submission.</summary>
    private sealed class Pending(BdevClient client)
    {
        private Func<IBdevChannel, BdevIoCallback, object, int> _submit = null!;
        private bool _submitting;
        private bool _refused;
        private int _callbacks;

        public TaskCompletionSource<Outcome> Done { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Pending With(Func<IBdevChannel, BdevIoCallback, object, int> submit)
        {
            _submit = submit;
            return this;
        }

        public void Submit()
        {
            if (client._channel is null)
            {
                Done.TrySetResult(new Outcome(-Errno.ENODEV, default));
                return;
            }
            client._outstanding++;
            _submitting = true;
            int error;
            try
            {
                error = _submit(client._channel, OnDone, this);
            }
            catch (Exception e)
            {
                client._host.Observe($"a submitting method threw {e}");
                error = -Errno.EIO;
            }
            _submitting = false;
            if (error == 0) return;
            _refused = true;
            if (error > 0) client._host.Observe($"a submitting method returned {error}, which is above 0");
            if (_callbacks > 0) client._host.Observe("a callback came for a refused submission");
            End(new Outcome(error, default));
        }

        private static void OnDone(object? state, in BdevIoResult result)
        {
            var self = (Pending)state!;
            var client = self.BdevClientOf;
            self._callbacks++;
            if (self._callbacks > 1)
            {
                client._host.Observe($"the callback of one I/O came {self._callbacks} times");
                return;
            }
            if (self._refused) client._host.Observe("a callback came for a refused submission");
            if (self._submitting) client._host.Observe("a callback came inside the submission");
            if (!client.Thread.IsCurrent) client._host.Observe("a callback came on another thread than the submitter's");
            if (result.Status is BdevIoStatus.Pending or BdevIoStatus.NoMemory) client._host.Observe($"a callback came with {result.Status}");
            self.End(new Outcome(0, result));
        }

        private BdevClient BdevClientOf => client;

        private void End(Outcome outcome)
        {
            if (--client._outstanding == 0) client._drained?.TrySetResult();
            Done.TrySetResult(outcome);
        }
    }
}
