using Spindle.Bdevs;
using Spindle.Memory;

namespace Spindle.Bdev.Raid;

/// <summary>Copies or compares a range of a mirror.</summary>
internal sealed class MirrorStep(RaidGeometry geometry, IDmaMemory memory, ulong mostBlocks) : RaidStep
{
    private readonly DmaBuffer _buffer = memory.Allocate((nuint)(mostBlocks * BytesOf(geometry)));
    private DmaBuffer? _other; // for comparing
    private MemberSet _tried;
    private RaidMemberChannel? _source;
    private int _next;
    private ulong _mismatches;
    private Doing _doing;

    private enum Doing
    {
        Reading,
        Comparing,
        Writing,
    }

    private static ulong BytesOf(RaidGeometry geometry) => geometry.BlockSize + (geometry.MetadataInterleaved ? 0 : geometry.MetadataSize);

    private uint DataBytes => (uint)(Blocks * geometry.BlockSize);

    private unsafe nint MetadataIn(DmaBuffer buffer) => geometry.MetadataSize == 0 || geometry.MetadataInterleaved ? 0 : (nint)((byte*)buffer.Address + DataBytes);

    private bool Writes(int slot) => Kind == RaidStepKind.Rebuild ? slot == Target : slot != _source!.Slot;

    protected override void Begin()
    {
        (_tried, _source, _next, _mismatches) = (default, null, 0, 0);
        Read(BdevIoResult.FromErrno(Errno.EIO));
    }

    /// <summary>Reads from the next member that has the data.</summary>
    private void Read(BdevIoResult error)
    {
        _doing = Doing.Reading;
        for (int slot = 0; slot < Channel.Members.Length; slot++)
        {
            if (Kind == RaidStepKind.Rebuild && slot == Target || _tried.Has(slot) || Channel.Readable(slot, Offset + Blocks) is not { } member) continue;
            int refused = member.Read(this, [_buffer.Slice(0, DataBytes)], Offset, Blocks, MetadataIn(_buffer));
            if (refused == 0)
            {
                _source = member;
                return;
            }
            if (refused == -Errno.ENOMEM)
            {
                if (WaitsFor(member)) return;
                slot--;
                continue;
            }
            _tried.Add(slot);
        }
        Fail(-1, error);
    }

    protected internal override void OnMemberCompleted(RaidMemberChannel member, in BdevIoResult result)
    {
        switch (_doing)
        {
            case Doing.Reading when result.IsSuccess:
                Advance();
                break;
            case Doing.Reading:
                _tried.Add(member.Slot);
                Read(result);
                break;
            case Doing.Comparing when result.IsSuccess && IsSame():
                _next++;
                Advance();
                break;
            case Doing.Comparing:
                if (result.IsSuccess) _mismatches += DifferentBlocks();
                else _mismatches += Blocks;
                if (Kind == RaidStepKind.Check)
                {
                    _next++;
                    Advance();
                    break;
                }
                Write(member);
                break;
            default:
                if (!result.IsSuccess)
                {
                    Fail(member.Slot, in result);
                    break;
                }
                _next++;
                Advance();
                break;
        }
    }

    /// <summary>The next member that is to have what was read.</summary>
    private void Advance()
    {
        for (; _next < Channel.Members.Length; _next++)
        {
            if (!Writes(_next) || Channel.Members[_next] is not { } member) continue;
            if (Kind is RaidStepKind.Check or RaidStepKind.Repair) Compare(member);
            else Write(member);
            return;
        }
        if (Kind == RaidStepKind.Rebuild && Channel.Members[Target] is null) Fail(Target, BdevIoResult.FromErrno(Errno.ENODEV));
        else Succeed(_mismatches);
    }

    private void Compare(RaidMemberChannel member)
    {
        _doing = Doing.Comparing;
        _other ??= memory.Allocate((nuint)(mostBlocks * BytesOf(geometry)));
        Handle(member, member.Read(this, [_other.Slice(0, DataBytes)], Offset, Blocks, MetadataIn(_other)));
    }

    private void Write(RaidMemberChannel member)
    {
        _doing = Doing.Writing;
        Handle(member, member.Write(this, [_buffer.Slice(0, DataBytes)], Offset, Blocks, MetadataIn(_buffer)));
    }

    private void Handle(RaidMemberChannel member, int error)
    {
        if (error == 0) return;
        if (error != -Errno.ENOMEM) Fail(member.Slot, BdevIoResult.FromErrno(error));
        else if (!WaitsFor(member)) OnAvailable();
    }

    protected override void OnAvailable()
    {
        if (_doing == Doing.Reading) Read(BdevIoResult.FromErrno(Errno.EIO));
        else if (Channel.Members[_next] is not { } member) Advance();
        else if (_doing == Doing.Comparing) Compare(member);
        else Write(member);
    }

    private bool IsSame() => All(_buffer).SequenceEqual(All(_other!));

    private ulong DifferentBlocks()
    {
        ulong found = 0;
        int size = (int)geometry.BlockSize;
        for (int block = 0; block < (int)Blocks; block++)
        {
            if (!All(_buffer).Slice(block * size, size).SequenceEqual(All(_other!).Slice(block * size, size))) found++;
        }
        return Math.Max(found, 1);
    }

    private ReadOnlySpan<byte> All(DmaBuffer buffer) => buffer.Slice(0, (uint)(Blocks * BytesOf(geometry))).Span;

    public override void Dispose()
    {
        _buffer.Dispose();
        _other?.Dispose();
    }
}
