using Microsoft.Extensions.Logging;
using Spindle.Bdevs;
using Spindle.Virtual;

namespace Spindle.Bdev.Gpt;

/// <summary>A bdev with the partitions that were found on it.</summary>
/// <param name="baseName">Its name.</param>
/// <param name="partitions">Its partitions; none when it was taken over from another version of the module, which has them as bdevs.</param>
/// <param name="bdevs">The bdevs.</param>
/// <param name="log">Where it is said which partitions cannot be shown.</param>
public sealed class GptAssociation(string baseName, IReadOnlyList<GptPartition> partitions, IBdevRegistry bdevs, ILogger log) : VirtualAssociation(baseName)
{
    /// <summary>When the base comes back, so may another table.</summary>
    public override bool OutlivesBase => false;

    /// <inheritdoc/>
    protected override IReadOnlyList<VirtualBdev> Make(BaseShare share)
    {
        var made = new List<VirtualBdev>();
        foreach (var partition in partitions)
        {
            var bdev = new GptBdev($"{share.Base.Name}p{partition.Number}", share, partition);
            // A disk that was copied block by block has the identities of the other one, too.
            if (bdevs.Find(bdev.Name) is not null)
                log.LogError("Partition {Number} of {Base} is not shown: the name '{Name}' is taken", partition.Number, share.Base.Name, bdev.Name);
            else if (bdevs.Find(bdev.Uuid.ToString()) is { } twin)
                log.LogError("Partition {Number} of {Base} is not shown: bdev '{Twin}' has the same UUID {Uuid}", partition.Number, share.Base.Name, twin.Name, bdev.Uuid);
            else if (made.Exists(other => other.Uuid == bdev.Uuid))
                log.LogError("Partition {Number} of {Base} is not shown: another one of that disk has the same UUID {Uuid}", partition.Number, share.Base.Name, bdev.Uuid);
            else
                made.Add(bdev);
        }
        return made.Count > 0 ? made : throw new SpindleException(Errno.EEXIST, $"No partition of '{share.Base.Name}' can be shown.");
    }
}
