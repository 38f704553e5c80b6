using Spindle.Bdevs;
using Spindle.Modules;

namespace Spindle.Bdev.Passthru;

/// <summary>Hands the associations, and the descriptors of the bases with their claims, to another version of the module.</summary>
internal sealed class PassthruUpgrade(Func<PassthruCollection?> collection) : ModuleUpgrade
{
    /// <inheritdoc/>
    public override int StateVersion => 1;

    /// <inheritdoc/>
    public override void Export(UpgradeState state) => collection()?.Export(state);

    /// <inheritdoc/>
    public override void Import(UpgradeState state)
    {
        if (collection() is not { } own) throw new SpindleException(Errno.EPROTO, "The module was not started.");
        own.Import(state);
    }
}
