using Spindle.Dif;
using Spindle.Memory;
using Spindle.Modules;

namespace Spindle.Bdev.Malloc;

/// <summary>Hands the memory of all bdevs to another version of the module: not a byte is copied.</summary>
internal sealed class MallocUpgrade(Func<IModuleContext> context) : ModuleUpgrade
{
    private List<MallocBdev> _exported = [];
    private readonly List<MallocStore> _imported = [];

    /// <inheritdoc/>
    public override int StateVersion => 1;

    private IEnumerable<MallocBdev> Bdevs => context().Bdevs.All.OfType<MallocBdev>();

    /// <inheritdoc/>
    public override Task PrepareAsync(CancellationToken cancellationToken) => Task.WhenAll(Bdevs.Select(bdev => bdev.Store.StopPrefaultAsync()));

    /// <inheritdoc/>
    public override void Export(UpgradeState state)
    {
        _exported = [.. Bdevs];
        foreach (var bdev in _exported)
        {
            var values = state.Add(bdev);
            var options = bdev.Options;
            values.Set("data_block_size", options.DataBlockSize);
            values.Set("physical_block_size", options.PhysicalBlockSize);
            values.Set("optimal_io_boundary", options.OptimalIoBoundary);
            values.Set("metadata_size", options.MetadataSize);
            values.Set("metadata_interleaved", options.MetadataInterleaved);
            values.Set("dif_type", (int)options.DifType);
            values.Set("dif_head", options.DifIsHeadOfMetadata);
            values.Set("dif_format", (uint)options.DifFormat);
            bdev.Store.Export(values);
        }
    }

    /// <inheritdoc/>
    public override void Import(UpgradeState state)
    {
        foreach (var values in state.Bdevs)
        {
            var options = MallocOptions.Of(new MallocCreateParameters
            {
                Name = values.Name,
                NumBlocks = values.BlockCount,
                BlockSize = values.Get<uint>("data_block_size"),
                Uuid = values.Uuid,
                PhysicalBlockSize = values.Get<uint>("physical_block_size"),
                OptimalIoBoundary = values.Get<uint>("optimal_io_boundary"),
                MdSize = values.Get<uint>("metadata_size"),
                MdInterleave = values.Get<bool>("metadata_interleaved"),
                DifType = values.Get<int>("dif_type"),
                DifIsHeadOfMd = values.Get<bool>("dif_head"),
                DifPiFormat = values.Get<uint>("dif_format"),
            });
            var store = new MallocStore(options, values.Get<DmaBuffer>("data"), values.Get<DmaBuffer?>("metadata", null), values.Get<byte[]>("written"));
            _imported.Add(store);
            values.Replacement = new MallocBdev(values.Name, options, store);
        }
    }

    /// <inheritdoc/>
    public override void Commit()
    {
        foreach (var bdev in _exported) bdev.Store.LetGo();
        _exported = [];
    }

    /// <inheritdoc/>
    public override void Rollback() => _exported = [];

    /// <inheritdoc/>
    public override void Discard()
    {
        foreach (var store in _imported) store.LetGo();
        _imported.Clear();
    }
}
