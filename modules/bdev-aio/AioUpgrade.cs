using Spindle.Io;
using Spindle.Modules;

namespace Spindle.Bdev.Aio;

/// <summary>Hands the open files to another version of the module.</summary>
internal sealed class AioUpgrade(Func<IModuleContext> context) : ModuleUpgrade
{
    /// <inheritdoc/>
    public override int StateVersion => 1;

    /// <inheritdoc/>
    public override void Export(UpgradeState state)
    {
        foreach (var bdev in context().Bdevs.All.OfType<AioBdev>())
        {
            var values = state.Add(bdev);
            var p = bdev.Parameters;
            values.Set("filename", p.Filename);
            values.Set("given_block_size", p.BlockSize);
            values.Set("block_size", bdev.BlockSize);
            values.Set("readonly", p.Readonly);
            values.Set("fallocate", p.Fallocate);
            values.Set("nowait", p.Nowait);
            values.Set("flush_error", bdev.FlushError);
            values.Set("file", bdev.File);
        }
    }

    /// <inheritdoc/>
    public override void Import(UpgradeState state)
    {
        foreach (var values in state.Bdevs)
        {
            var parameters = new AioCreateParameters
            {
                Name = values.Name,
                Uuid = values.Uuid,
                Filename = values.Get<string>("filename"),
                BlockSize = values.Get<uint>("given_block_size"),
                Readonly = values.Get<bool>("readonly"),
                Fallocate = values.Get<bool>("fallocate"),
                Nowait = values.Get<bool>("nowait"),
            };
            values.Replacement = new AioBdev(parameters, values.Get<RingFile>("file"), values.Get<uint>("block_size"), context())
            {
                FlushError = values.Get<int>("flush_error"),
            };
        }
    }
}
