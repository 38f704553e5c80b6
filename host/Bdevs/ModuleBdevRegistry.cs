using Spindle.Bdevs;
using Spindle.Modules;

namespace Spindle.Host.Bdevs;

/// <summary>The registry as one module sees it: what it registers, opens and claims is known as its own.</summary>
internal sealed class ModuleBdevRegistry(BdevRegistry registry, string module, Func<IModuleContext?>? context) : IBdevRegistry
{
    public IReadOnlyList<Bdev> All => registry.All;

    public Bdev? Find(string name) => registry.Find(name);

    public void Register(Bdev bdev) => registry.Register(bdev, module, context?.Invoke());

    public Task UnregisterAsync(Bdev bdev) => registry.UnregisterAsync(bdev);

    public IBdevDescriptor Open(string name, bool write, BdevEventCallback events, object? state) => registry.Open(name, write, module, events, state);

    public void Claim(IBdevDescriptor descriptor, BdevClaimType type, string name, ulong sharedKey) =>
        BdevRegistry.Claim((BdevDescriptor)descriptor, type, name, module, sharedKey);

    public void Release(IBdevDescriptor descriptor) => BdevRegistry.Release((BdevDescriptor)descriptor);

    public void AddAlias(Bdev bdev, string alias) => registry.AddAlias(bdev, alias);

    public void RemoveAlias(Bdev bdev, string alias) => registry.RemoveAlias(bdev, alias);

    public void Resize(Bdev bdev, ulong blockCount) => BdevRegistry.Resize(bdev, blockCount);

    public void Adopt(IBdevDescriptor descriptor, BdevEventCallback events, object? state) => registry.Adopt((BdevDescriptor)descriptor, module, events, state);

    public Task WaitForExamineAsync() => registry.Examiner.WaitAsync();
}
