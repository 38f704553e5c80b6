using Spindle.Blobs.Images;

namespace Spindle.Blobs;

/// <summary>Checks a store without changing it.</summary>
public static class BlobstoreCheck
{
    /// <summary>Looks at every metadata page and lists what is wrong; empty for a store in order. Traces of an interruption (<see cref="StoreProblem.IsDamage"/> is false)
    /// are put right when the store is next loaded; a damaged one is not loaded.</summary>
    /// <exception cref="SpindleException">Errors of reading.</exception>
    public static async Task<IReadOnlyList<StoreProblem>> RunAsync(IStoreSource source)
    {
        try
        {
            var image = await StoreReader.ReadAsync(source);
            var all = await StoreReader.ReadAsync(source, everyPage: true);
            return image.Problems.Count >= all.Problems.Count ? image.Problems : all.Problems;
        }
        catch (SpindleException e) when (e.Errno == Errno.EILSEQ)
        {
            return [new StoreProblem(true, e.Message)];
        }
    }
}
