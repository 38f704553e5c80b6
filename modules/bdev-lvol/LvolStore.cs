using Spindle.Bdevs;
using Spindle.Blobs;

namespace Spindle.Bdev.Lvol;

/// <summary>A store of logical volumes on a bdev. On the app thread.</summary>
public sealed class LvolStore
{
    private readonly List<Lvol> _lvols = [];

    internal LvolStore(string name, Guid uuid, Blobstore blobs, IBdevDescriptor descriptor) => (Name, Uuid, Blobs, Descriptor) = (name, uuid, blobs, descriptor);

    /// <summary>Its name, unique in the process.</summary>
    public string Name { get; internal set; }
    /// <summary>Its identity.</summary>
    public Guid Uuid { get; }
    /// <summary>Where the data is.</summary>
    public Blobstore Blobs { get; }
    /// <summary>The volumes, in the order in which they came.</summary>
    public IReadOnlyList<Lvol> Lvols => _lvols;
    /// <summary>The bdev below.</summary>
    public string BaseName => Descriptor.Bdev.Name;
    /// <summary>It is being taken away.</summary>
    public bool IsLeaving { get; internal set; }

    internal IBdevDescriptor Descriptor { get; }
    internal ExternalSnapshots Externals { get; set; } = null!;

    /// <summary>The volume of a blob; null when it has none.</summary>
    public Lvol? Find(Blob blob) => _lvols.FirstOrDefault(lvol => lvol.Blob == blob);

    /// <summary>The volume of a name; null when there is none.</summary>
    public Lvol? Find(string name) => _lvols.FirstOrDefault(lvol => lvol.Name == name);

    internal Lvol Add(Blob blob)
    {
        var lvol = new Lvol(this, blob);
        _lvols.Add(lvol);
        return lvol;
    }

    internal void Remove(Lvol lvol) => _lvols.Remove(lvol);

    /// <exception cref="SpindleException">EINVAL: it is empty or too long. EEXIST: it is taken.</exception>
    internal void CheckNewName(string name, string parameter)
    {
        Lvol.CheckName(name, parameter);
        if (Find(name) is not null) throw new SpindleException(Errno.EEXIST, $"There is a volume '{name}' in '{Name}'.");
    }
}
