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
            // Its removal waits until it is closed, which is when the read has ended.
            var descriptor = context.Bdevs.Open(bdev.Name, write: false, static (_, _, _) => { });
            try
            {
                return await Blobstore.TypeOfAsync(descriptor, context.Memory) is { } found && found.AsSpan().SequenceEqual(type);
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
