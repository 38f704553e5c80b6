using Microsoft.Extensions.Logging;
using Spindle.Bdevs;
using Spindle.Modules;

namespace Spindle.Bdev.Lvol;

/// <summary>The bdevs outside of a store that clones in it read through: opened with it or when they appear, let go of when they are removed. On the app thread.</summary>
internal sealed class ExternalSnapshots(IModuleContext context, ILogger log)
{
    private readonly List<IBdevDescriptor> _open = [];

    /// <summary>The store; not yet there while it is being loaded.</summary>
    public LvolStore? Store { get; set; }

    /// <summary>Opens the bdev that a blob names; null when it is not there or cannot be had for reading only.</summary>
    public IBdevDescriptor? Open(byte[] id)
    {
        string name = Lvol.TextOf(id);
        try
        {
            var descriptor = context.Bdevs.Open(name, write: false, OnEvent, this);
            try
            {
                // Nobody may change what clones rely on.
                context.Bdevs.Claim(descriptor, BdevClaimType.ReadManyWriteNone);
            }
            catch
            {
                descriptor.Close();
                throw;
            }
            descriptor.Purpose = "external snapshot";
            _open.Add(descriptor);
            return descriptor;
        }
        catch (SpindleException e)
        {
            log.LogWarning("External snapshot {Bdev} cannot be opened, and clones of it are degraded: {Reason}", name, e.Message);
            return null;
        }
    }

    /// <summary>Closes what no clone reads through any more.</summary>
    public void CloseUnused()
    {
        foreach (var descriptor in _open.Where(descriptor => Store?.Blobs.Externals.Contains(descriptor) != true).ToArray()) Close(descriptor);
    }

    /// <summary>Closes all; the store is no longer in use.</summary>
    public void CloseAll()
    {
        foreach (var descriptor in _open.ToArray()) Close(descriptor);
    }

    private void Close(IBdevDescriptor descriptor)
    {
        _open.Remove(descriptor);
        descriptor.Close();
    }

    private static void OnEvent(BdevEventType type, Bdevs.Bdev bdev, object? state)
    {
        if (type == BdevEventType.Remove) _ = ((ExternalSnapshots)state!).LetGoAsync(bdev);
    }

    private async Task LetGoAsync(Bdevs.Bdev bdev)
    {
        try
        {
            foreach (var descriptor in _open.Where(descriptor => descriptor.Bdev == bdev).ToArray())
            {
                if (Store is { } store) await store.Blobs.ForgetExternalAsync(descriptor);
                if (_open.Contains(descriptor)) Close(descriptor);
            }
            log.LogWarning("External snapshot {Bdev} was removed; clones of it are degraded until it is back", bdev.Name);
        }
        catch (Exception e)
        {
            log.LogError(e, "External snapshot {Bdev} cannot be let go of", bdev.Name);
        }
    }
}
