using Spindle.Bdevs;
using Spindle.Blobs;
using Spindle.Modules;

namespace Spindle.Bdev.Lvol;

/// <summary>Tells whether there is a store of volumes on a bdev, without claiming it. On the app thread.</summary>
internal static class StoreProbe
{
    public static async Task<bool> IsStoreAsync(IModuleContext context, Bdevs.Bdev bdev, byte[] type)
    {
        try
        {
            // Its removal waits until it is closed, which is when the read has ended: a disk that does not answer must not keep itself from being removed.
            using var removed = new CancellationTokenSource();
            var descriptor = context.Bdevs.Open(bdev.Name, write: false, static (type, _, state) =>
            {
                if (type == BdevEventType.Remove) ((CancellationTokenSource)state!).Cancel();
            }, removed);
            try
            {
                return await Blobstore.TypeOfAsync(descriptor, context.Memory, removed.Token) is { } found && found.AsSpan().SequenceEqual(type);
            }
            finally
            {
                descriptor.Close();
            }
        }
        catch (SpindleException)
        {
            return false;
        }
    }
}
