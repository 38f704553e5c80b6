using Spindle.Bdevs;
using Spindle.Blobs.Format;
using Spindle.Blobs.Images;
using Spindle.Blobs.Metadata;
using Spindle.Blobs.Repair;
using Spindle.Memory;

namespace Spindle.Blobs;

/// <summary>Repairs a store that nobody uses. Whatever the moment of a power cut, what was saved before is there, and the repair can be run again.</summary>
public static class BlobstoreRepair
{
    /// <summary>Puts right what can be put right, and saves what can be saved of what is damaged; the store is clean then.</summary>
    /// <param name="descriptor">The device, open for writing and claimed. On the calling storage thread.</param>
    /// <param name="memory">Where buffers come from.</param>
    /// <param name="progress">Told of the metadata pages that have been read, and of how many there are.</param>
    /// <returns>What was done, in sentences; empty when there was nothing to do.</returns>
    /// <exception cref="SpindleException">EILSEQ: there is no store, or its super block cannot be relied on. ENOTSUP: a blob needs what this version does not know. ENOSPC: no
    /// metadata page is free. Errors of the device. Nothing is lost that was there before.</exception>
    public static async Task<IReadOnlyList<string>> RunAsync(IBdevDescriptor descriptor, IDmaMemory memory, Action<uint, uint>? progress = null)
    {
        var io = new MetadataIo(descriptor, memory);
        bool handedOver = false;
        try
        {
            var (image, page) = await StoreReader.ReadForRepairAsync(io, progress);
            if (image.Problems.Count == 0) return [];
            var salvage = new StoreSalvage(image, page);
            await salvage.RunAsync();
            var reserved = new BitSet(image.Layout.MetadataLength);
            foreach (uint number in salvage.Reserved) reserved.Set(number);
            var store = Blobstore.OfImage(descriptor, io, salvage.Image, reserved);
            handedOver = true;
            try
            {
                await store.RepairAsync(salvage);
                await store.UnloadAsync();
            }
            catch
            {
                await store.AbandonAsync();
                throw;
            }
            return [.. image.Problems.Where(problem => !problem.IsDamage).Select(problem => problem.Text), .. salvage.Said];
        }
        finally
        {
            if (!handedOver) io.Dispose();
        }
    }
}
