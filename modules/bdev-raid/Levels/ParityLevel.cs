using Spindle.Bdev.Raid.Stripes;
using Spindle.Bdevs;
using Spindle.Memory;
using Spindle.Threading;

namespace Spindle.Bdev.Raid;

/// <summary>Strips on one member after the other, with parity in each stripe.</summary>
public abstract class ParityLevel : RaidLevel
{
    private protected ParityLevel(RaidGeometry geometry, int parities, bool dataFollowsParity) : base(geometry)
    {
        if (geometry.MetadataSize != 0 && !geometry.MetadataInterleaved)
        {
            throw new SpindleException(Errno.ENOTSUP, $"The members have {geometry.MetadataSize} bytes of separate metadata for each block, of which a level with parity keeps none: " +
                "use members without metadata, or with interleaved metadata.");
        }
        Layout = new StripeLayout(geometry.MemberCount, parities, geometry.StripBlocks, geometry.BlockSize, dataFollowsParity);
    }

    internal StripeLayout Layout { get; }

    internal StripeLocks Locks { get; } = new();

    internal StorageMessage Entered { get; } = static state => ((StripeIo)state!).Entered();

    /// <inheritdoc/>
    public override ulong StepUnitBlocks => Layout.StripeBlocks;

    /// <inheritdoc/>
    public override bool Carries(BdevIoType type) => type is BdevIoType.Flush;

    /// <inheritdoc/>
    public override RaidSize SizeOf(ReadOnlySpan<ulong> available)
    {
        ulong least = ulong.MaxValue;
        foreach (ulong blocks in available) least = Math.Min(least, blocks);
        ulong stripes = least >> Layout.StripShift;
        if (stripes == 0) throw new SpindleException(Errno.EINVAL, $"The smallest member has less than a strip, {Layout.StripBlocks} blocks, for data.");
        if (stripes > ulong.MaxValue / Layout.StripeBlocks) throw new SpindleException(Errno.EINVAL, "The members have more than 64 bits of blocks together.");
        return new RaidSize(stripes * Layout.StripeBlocks, [.. Enumerable.Repeat(stripes << Layout.StripShift, Layout.Members)]);
    }

    /// <inheritdoc/>
    public override ulong MemberBlocksOf(ulong arrayBlocks) => arrayBlocks / Layout.StripeBlocks << Layout.StripShift;

    /// <inheritdoc/>
    public override RaidIo CreateIo(BdevIo io) => new StripeIo(this, io);

    /// <inheritdoc/>
    public override IDisposable? CreateChannelState(RaidChannel channel) => new StripeChannel(Layout, channel.Array.Memory);

    /// <inheritdoc/>
    public override RaidStep? CreateStep(IDmaMemory memory, ulong mostBlocks) => new ParityStep(this, memory, mostBlocks);

    /// <summary>Whether a stripe's parity is known to fit its data; where it does not, what is missing cannot be made from it.</summary>
    [DataPath]
    internal bool IsInStep(RaidChannel channel, ulong stripe) =>
        channel.Intent is not { } intent || intent.IsInStep(stripe * Layout.StripeBlocks, Layout.StripeBlocks);
}
