using Spindle.Bdevs;
using Spindle.Modules;

namespace Spindle.Host.Bdevs;

/// <summary>The registry as one module sees it: what it registers, opens and claims is known as its own.</summary>
internal sealed class ModuleBdevRegistry(BdevRegistry registry, string module, Func<IModuleContext?>? context) : IBdevRegistry
{
    private static readonly BdevOpenOptions s_read = new();
    private static readonly BdevOpenOptions s_write = new() { Write = true };

    public IReadOnlyList<Bdev> All => registry.All;

    public Bdev? Find(string name) => registry.Find(name);

    public void Register(Bdev bdev) => registry.Register(bdev, module, context?.Invoke());

    public Task UnregisterAsync(Bdev bdev) => registry.UnregisterAsync(bdev);

    public IBdevDescriptor Open(string name, bool write, BdevEventCallback events, object? state) => registry.Open(name, write ? s_write : s_read, module, events, state);

    public IBdevDescriptor Open(string name, BdevOpenOptions options, BdevEventCallback events, object? state)
    {
        ArgumentNullException.ThrowIfNull(options);
        return registry.Open(name, options, module, events, state);
    }

    public void Claim(IBdevDescriptor descriptor, BdevClaimType type, string name, ulong sharedKey) =>
        BdevRegistry.Claim((BdevDescriptor)descriptor, type, name, module, sharedKey);

    public void Release(IBdevDescriptor descriptor) => BdevRegistry.Release((BdevDescriptor)descriptor);

    public void AddAlias(Bdev bdev, string alias) => registry.AddAlias(bdev, alias);

    public void RemoveAlias(Bdev bdev, string alias) => registry.RemoveAlias(bdev, alias);

    public void Resize(Bdev bdev, ulong blockCount) => BdevRegistry.Resize(bdev, blockCount);

    public int NotifyMedia(Bdev bdev, IReadOnlyList<BdevMediaEvent> events) => BdevRegistry.NotifyMedia(bdev, events);

    public void Adopt(IBdevDescriptor descriptor, BdevEventCallback events, object? state) => registry.Adopt((BdevDescriptor)descriptor, module, events, state);

    public Task QuiesceAsync(Bdev bdev) => registry.QuiescesOf(bdev, module).AcquireAsync(0, ulong.MaxValue);

    public Task UnquiesceAsync(Bdev bdev) => registry.QuiescesOf(bdev, module).ReleaseAsync(0, ulong.MaxValue);

    public Task QuiesceRangeAsync(Bdev bdev, ulong offsetBlocks, ulong numBlocks) =>
        registry.QuiescesOf(bdev, module).AcquireAsync(offsetBlocks, EndOf(bdev, offsetBlocks, numBlocks));

    public Task UnquiesceRangeAsync(Bdev bdev, ulong offsetBlocks, ulong numBlocks) =>
        registry.QuiescesOf(bdev, module).ReleaseAsync(offsetBlocks, EndOf(bdev, offsetBlocks, numBlocks));

    private static ulong EndOf(Bdev bdev, ulong offset, ulong blocks)
    {
        if (blocks == 0 || offset >= bdev.BlockCount || blocks > bdev.BlockCount - offset)
            throw new SpindleException(Errno.EINVAL, $"{blocks} blocks from {offset} on are not a range of bdev '{bdev.Name}', which has {bdev.BlockCount}.");
        return offset + blocks;
    }

    public Task WaitForExamineAsync() => registry.Examiner.WaitAsync();
}
