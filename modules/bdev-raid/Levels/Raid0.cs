using Spindle.Bdevs;

namespace Spindle.Bdev.Raid;

/// <summary>Strips on one member after the other; nothing is redundant. The host splits reads and writes at strips.</summary>
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
        if (least == 0) throw new SpindleException(Errno.EINVAL, $"The smallest member has less than a strip, {Geometry.StripBlocks} blocks, for data.");
        if (least > ulong.MaxValue / (ulong)Geometry.MemberCount) throw new SpindleException(Errno.EINVAL, "The members have more than 64 bits of blocks together.");
        return new RaidSize(least * (ulong)Geometry.MemberCount, [.. Enumerable.Repeat(least, Geometry.MemberCount)]);
    }

    /// <inheritdoc/>
    public override RaidIo CreateIo(BdevIo io) => new StripedIo(this, io);

    private sealed class StripedIo(Raid0 level, BdevIo io) : RaidIo(io)
    {
        private readonly int _shift = level.Geometry.StripShift;
        private readonly uint _strip = level.Geometry.StripBlocks;
        private readonly uint _count = (uint)level.Geometry.MemberCount;
        private uint _submitted, _remaining;
        private BdevIoResult _result;

        [DataPath]
        protected override void OnSubmitted()
        {
            var type = Io.Type;
            if (type is BdevIoType.Read or BdevIoType.Write)
            {
                _remaining = 1;
                Transfer();
                return;
            }
            ulong strips = type == BdevIoType.Reset ? _count : (Io.OffsetBlocks + Io.NumBlocks - 1 >> _shift) - (Io.OffsetBlocks >> _shift) + 1;
            (_submitted, _remaining, _result) = (0, (uint)Math.Min(strips, _count), BdevIoResult.Of(BdevIoStatus.Success));
            FanOut();
        }

        [DataPath]
        protected override void OnAvailable()
        {
            if (Io.Type is BdevIoType.Read or BdevIoType.Write) Transfer();
            else FanOut();
        }

        [DataPath]
        private void Transfer()
        {
            var io = Io;
            ulong strip = io.OffsetBlocks >> _shift;
            var member = Channel.Members[(int)(strip % _count)];
            if (member is null)
            {
                Complete(BdevIoResult.FromErrno(Errno.EIO));
                return;
            }
            // With one member alone the I/O may span strips: they follow one another there.
            ulong block = _count == 1 ? io.OffsetBlocks : (strip / _count << _shift) + (io.OffsetBlocks & _strip - 1);
            int error;
            do
            {
                error = io.Type == BdevIoType.Read ? member.Read(this, io.Iovs, block, io.NumBlocks, MetadataOf(io)) : member.Write(this, io.Iovs, block, io.NumBlocks, MetadataOf(io));
                if (error == 0) return;
                if (error == -Errno.ENOMEM && WaitsFor(member)) return;
            }
            while (error == -Errno.ENOMEM);
            Complete(BdevIoResult.FromErrno(error));
        }

        /// <summary>One piece for each member that the range touches: what a member has of it is contiguous there.</summary>
        [DataPath]
        private void FanOut()
        {
            var io = Io;
            ulong first = io.OffsetBlocks >> _shift, last = io.OffsetBlocks + io.NumBlocks - 1 >> _shift;
            uint pieces = io.Type == BdevIoType.Reset ? _count : (uint)Math.Min(last - first + 1, _count);
            while (_submitted < pieces)
            {
                ulong strip = first + _submitted;
                int slot = io.Type == BdevIoType.Reset ? (int)_submitted : (int)(strip % _count);
                ulong start = (strip / _count << _shift) + (strip == first ? io.OffsetBlocks & _strip - 1 : 0);
                // The last strip of the range that is on this member.
                ulong lastHere = last - (last - strip) % _count;
                ulong end = (lastHere / _count << _shift) + (lastHere == last ? (io.OffsetBlocks + io.NumBlocks - 1 & _strip - 1) + 1 : _strip);
                int error = Channel.Members[slot] is { } member ? member.Do(this, io.Type, start, end - start) : -Errno.EIO;
                if (error == -Errno.ENOMEM)
                {
                    if (WaitsFor(Channel.Members[slot]!)) return;
                    continue;
                }
                _submitted++;
                if (error != 0) Ended(BdevIoResult.FromErrno(error));
            }
        }

        [DataPath]
        protected internal override void OnMemberCompleted(RaidMemberChannel member, in BdevIoResult result)
        {
            if (Io.Type is BdevIoType.Read or BdevIoType.Write) Complete(in result);
            else Ended(in result);
        }

        [DataPath]
        private void Ended(in BdevIoResult result)
        {
            if (!result.IsSuccess) _result = result;
            if (--_remaining == 0) Complete(in _result);
        }

        [DataPath]
        private static unsafe nint MetadataOf(BdevIo io) => (nint)io.Metadata;
    }
}
