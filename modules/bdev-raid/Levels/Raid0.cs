using Spindle.Bdevs;

namespace Spindle.Bdev.Raid;

/// <summary>Strips on one member after the other; nothing is redundant.</summary>
public sealed class Raid0(RaidGeometry geometry) : RaidLevel(geometry)
{
    /// <summary>The level.</summary>
    public static RaidLevelType Type { get; } = new("raid0", "0", 0, LeastMembers: 1, LeastOperational: static slots => slots, HasStrips: true, static geometry => new Raid0(geometry));

    /// <inheritdoc/>
    public override uint OptimalIoBoundary => Geometry.MemberCount > 1 ? Geometry.StripBlocks : 0;

    /// <inheritdoc/>
    public override bool Carries(BdevIoType type) => type is BdevIoType.Unmap or BdevIoType.WriteZeroes or BdevIoType.Flush;

    /// <inheritdoc/>
    public override bool CanResize => true;

    /// <inheritdoc/>
    public override RaidSize SizeOf(ReadOnlySpan<ulong> available)
    {
        ulong least = ulong.MaxValue;
        foreach (ulong blocks in available) least = Math.Min(least, blocks);
        least = least >> Geometry.StripShift << Geometry.StripShift;
        if (least == 0) throw new SpindleException(Errno.EINVAL, $"the smallest member has less than a strip, {Geometry.StripBlocks} blocks, for data.");
        if (least > ulong.MaxValue / (ulong)Geometry.MemberCount) throw new SpindleException(Errno.EINVAL, "the members have more than 64 bits of blocks together.");
        return new RaidSize(least * (ulong)Geometry.MemberCount, [.. Enumerable.Repeat(least, Geometry.MemberCount)]);
    }

    /// <inheritdoc/>
    public override RaidIo CreateIo(BdevIo io) => new StripedIo(Geometry, io);

    private sealed class StripedIo(RaidGeometry geometry, BdevIo io) : MappedIo(geometry.MemberCount, io)
    {
        private readonly int _shift = geometry.StripShift;
        private readonly int _countShift = System.Numerics.BitOperations.IsPow2(geometry.MemberCount) ? System.Numerics.BitOperations.Log2((uint)geometry.MemberCount) : -1;
        private readonly uint _strip = geometry.StripBlocks, _count = (uint)geometry.MemberCount;

        [DataPath]
        protected override int Map(ulong block, out ulong memberBlock)
        {
            ulong strip = block >> _shift;
            if (_countShift >= 0)
            {
                memberBlock = (strip >> _countShift << _shift) + (block & _strip - 1);
                return (int)(strip & _count - 1);
            }
            if (strip <= uint.MaxValue)
            {
                var (row, slot) = Math.DivRem((uint)strip, _count);
                memberBlock = ((ulong)row << _shift) + (block & _strip - 1);
                return (int)slot;
            }
            memberBlock = (strip / _count << _shift) + (block & _strip - 1);
            return (int)(strip % _count);
        }

        [DataPath]
        protected override int PieceCount(ulong first, ulong last) => (int)Math.Min((last >> _shift) - (first >> _shift) + 1, _count);

        [DataPath]
        protected override int Piece(int piece, ulong first, ulong last, out ulong start, out ulong blocks)
        {
            ulong firstStrip = first >> _shift, lastStrip = last >> _shift, strip = firstStrip + (uint)piece;
            int slot = (int)(strip % _count);
            start = (strip / _count << _shift) + (piece == 0 ? first & _strip - 1 : 0);
            ulong lastHere = lastStrip - (lastStrip - strip) % _count;
            ulong end = (lastHere / _count << _shift) + (lastHere == lastStrip ? (last & _strip - 1) + 1 : _strip);
            blocks = end - start;
            return slot;
        }
    }
}
