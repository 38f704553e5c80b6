using Spindle.Bdevs;
using Spindle.Memory;

namespace Spindle.ContractTests.Layer.Qos;

/// <summary>Keeps a number of reads or writes outstanding on one storage thread, and counts those that end.</summary>
internal sealed class Load(BdevClient client, IoVec buffer, bool write = false)
{
    private static readonly BdevIoCallback s_done = OnDone;
    private readonly uint _blocks = buffer.Length / client.Bdev.BlockSize;
    private long _completed;
    private long _failed;
    private int _outstanding;
    private volatile bool _stop;

    /// <summary>I/Os that ended well. Any thread.</summary>
    public long Completed => Volatile.Read(ref _completed);

    /// <summary>Those that did not.</summary>
    public long Failed => Volatile.Read(ref _failed);

    public Task StartAsync(int depth) => client.OnThreadAsync(() =>
    {
        for (int i = 0; i < depth; i++) Submit();
    });

    /// <summary>No more; what is outstanding ends first.</summary>
    public async Task StopAsync()
    {
        _stop = true;
        await Eventually.IsTrueAsync(() => Volatile.Read(ref _outstanding) == 0, "the load's I/O");
    }

    private void Submit()
    {
        _outstanding++;
        int error = write ? client.Channel.Write([buffer], 0, _blocks, s_done, this) : client.Channel.Read([buffer], 0, _blocks, s_done, this);
        if (error == 0) return;
        _outstanding--;
        Volatile.Write(ref _failed, _failed + 1);
    }

    private static void OnDone(object? state, in BdevIoResult result)
    {
        var self = (Load)state!;
        self._outstanding--;
        if (result.IsSuccess) Volatile.Write(ref self._completed, self._completed + 1);
        else Volatile.Write(ref self._failed, self._failed + 1);
        if (!self._stop && result.IsSuccess) self.Submit();
    }
}
