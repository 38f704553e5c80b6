using Spindle.Bdevs;
using Spindle.Blobs.Images;
using Spindle.Blobs.Metadata;
using Spindle.Memory;

namespace Spindle.Blobs;

/// <summary>What a check found.</summary>
/// <param name="Image">The store; null when its super block cannot be relied on.</param>
/// <param name="Problems">What is wrong; empty for a store in order. Traces of an interruption (<see cref="StoreProblem.IsDamage"/> is false) are put right when the store is next loaded.</param>
public sealed record StoreCheck(StoreImage? Image, IReadOnlyList<StoreProblem> Problems);

/// <summary>Checks a store without changing it.</summary>
public static class BlobstoreCheck
{
    /// <summary>Looks at every metadata page and lists what is wrong.</summary>
    /// <exception cref="SpindleException">Errors of reading.</exception>
    public static async Task<IReadOnlyList<StoreProblem>> RunAsync(IStoreSource source) => (await CheckAsync(source)).Problems;

    /// <summary>Looks at every metadata page of a store on a bdev.</summary>
    /// <param name="descriptor">The bdev, open. On the calling storage thread.</param>
    /// <param name="memory">Where buffers come from.</param>
    /// <param name="progress">Told of the metadata pages that have been read, and of how many there are.</param>
    /// <exception cref="SpindleException">Errors of reading.</exception>
    public static async Task<StoreCheck> RunAsync(IBdevDescriptor descriptor, IDmaMemory memory, Action<uint, uint>? progress = null)
    {
        using var io = new MetadataIo(descriptor, memory);
        return await CheckAsync(io, progress);
    }

    private static async Task<StoreCheck> CheckAsync(IStoreSource source, Action<uint, uint>? progress = null)
    {
        try
        {
            var image = await StoreReader.ReadAsync(source);
            var all = await StoreReader.ReadAsync(source, everyPage: true, progress);
            return new StoreCheck(all, image.Problems.Count >= all.Problems.Count ? image.Problems : all.Problems);
        }
        catch (SpindleException e) when (e.Errno == Errno.EILSEQ)
        {
            return new StoreCheck(null, [new StoreProblem(true, e.Message)]);
        }
    }
}
