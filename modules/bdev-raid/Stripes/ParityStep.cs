using Spindle.Bdevs;
using Spindle.Memory;
using Spindle.Parity;

namespace Spindle.Bdev.Raid.Stripes;

/// <summary>Whole stripes that nobody else works on: a member's strips made from the others', or parity compared with the data and made again. What a member has of the range lies
/// in one piece there, and is read in one.</summary>
internal sealed unsafe class ParityStep : RaidStep
{
    private readonly ParityLevel _level;
    private readonly StripeLayout _layout;
    private readonly DmaBuffer _memory;
    private readonly nuint _stride;                    // bytes of what one member has of the largest range
    private readonly List<(int Stripe, int Slot)> _changed = []; // strips of the range to be written
    private MemberSet _wanted;
    private bool _isWriting;
    private int _next, _remaining, _failedSlot;
    private BdevIoResult _result;
    private ulong _mismatches;

    /// <param name="level">The array's.</param>
    /// <param name="memory">For its buffer.</param>
    /// <param name="mostBlocks">Array blocks of the largest range.</param>
    internal ParityStep(ParityLevel level, IDmaMemory memory, ulong mostBlocks)
    {
        (_level, _layout) = (level, level.Layout);
        _stride = checked((nuint)Math.Max(1, mostBlocks / _layout.StripeBlocks) * _layout.StripBytes);
        // Behind what the members have: P and Q as they should be.
        _memory = memory.Allocate(_stride * (nuint)_layout.Members + _layout.StripBytes * (nuint)_layout.Parities);
    }

    private ulong FirstStripe => Offset / _layout.StripeBlocks;

    private int StripeCount => (int)(Blocks / _layout.StripeBlocks);

    private byte* Slot(int slot) => (byte*)_memory.Address + _stride * (nuint)slot;

    private byte* Strip(int stripe, int slot) => Slot(slot) + (nuint)stripe * _layout.StripBytes;

    private byte* Computed(int parity) => (byte*)_memory.Address + _stride * (nuint)_layout.Members + (nuint)parity * _layout.StripBytes;

    /// <inheritdoc/>
    protected override void Begin()
    {
        _wanted = default;
        _isWriting = false;
        _changed.Clear();
        (_mismatches, _failedSlot, _result) = (0, -1, BdevIoResult.Of(BdevIoStatus.Success));
        ulong end = FirstStripe + (ulong)StripeCount << _layout.StripShift;
        int missing = 0;
        for (int slot = 0; slot < _layout.Members; slot++)
        {
            if (Channel.Readable(slot, end) is not null && !(Kind == RaidStepKind.Rebuild && slot == Target)) _wanted.Add(slot);
            else missing++;
        }
        if (missing > _layout.Parities || !MayBegin())
        {
            Fail(-1, BdevIoResult.FromErrno(Errno.EIO));
            return;
        }
        Submit();
    }

    /// <summary>What was under way when power failed is not made from parity that may not fit it; and parity is not made from data that is missing.</summary>
    private bool MayBegin()
    {
        if (Kind == RaidStepKind.Check) return true;
        for (int i = 0; i < StripeCount; i++)
        {
            ulong stripe = FirstStripe + (ulong)i;
            if (Kind == RaidStepKind.Rebuild && _level.IsInStep(Channel, stripe)) continue;
            int paritySlot = _layout.ParitySlot(stripe);
            for (int role = 0; role < _layout.Data; role++)
                if (!_wanted.Has(_layout.SlotOf(paritySlot, role))) return false;
        }
        return true;
    }

    private void Submit()
    {
        _next = 0;
        _remaining = 1; // until all are submitted
        Continue();
    }

    /// <inheritdoc/>
    protected override void OnAvailable() => Continue();

    private void Continue()
    {
        int count = _isWriting ? _changed.Count : _layout.Members;
        for (; _next < count; _next++)
        {
            int slot = _isWriting ? _changed[_next].Slot : _next;
            if (!_isWriting && !_wanted.Has(slot)) continue;
            int error;
            do
            {
                // A member that went meanwhile is no longer written.
                if (Channel.Members[slot] is not { } member)
                {
                    error = _isWriting && slot != Target ? 0 : -Errno.EIO;
                    if (error == 0) _remaining--;
                    break;
                }
                error = Issue(member);
                if (error == -Errno.ENOMEM && WaitsFor(member)) return;
            }
            while (error == -Errno.ENOMEM);
            if (error == 0) _remaining++;
            else NoteFailure(slot, BdevIoResult.FromErrno(error));
        }
        EndOfOne();
    }

    private int Issue(RaidMemberChannel member)
    {
        ulong start = FirstStripe << _layout.StripShift;
        if (_isWriting && Kind != RaidStepKind.Rebuild)
        {
            var (stripe, slot) = _changed[_next];
            var strip = new IoVec(Strip(stripe, slot), _layout.StripBytes, _memory.Region);
            return member.Write(this, new ReadOnlySpan<IoVec>(in strip), start + ((ulong)(uint)stripe << _layout.StripShift), _layout.StripBlocks);
        }
        var whole = new IoVec(Slot(member.Slot), (uint)StripeCount * _layout.StripBytes, _memory.Region);
        ulong blocks = (ulong)StripeCount << _layout.StripShift;
        return _isWriting ? member.Write(this, new ReadOnlySpan<IoVec>(in whole), start, blocks) : member.Read(this, new ReadOnlySpan<IoVec>(in whole), start, blocks);
    }

    private void NoteFailure(int slot, in BdevIoResult result) => (_failedSlot, _result) = (slot, result);

    /// <inheritdoc/>
    protected internal override void OnMemberCompleted(RaidMemberChannel member, in BdevIoResult result)
    {
        if (!result.IsSuccess) NoteFailure(member.Slot, in result);
        EndOfOne();
    }

    private void EndOfOne()
    {
        if (--_remaining > 0) return;
        if (!_result.IsSuccess)
        {
            Fail(_failedSlot, in _result);
            return;
        }
        if (_isWriting)
        {
            Succeed(_mismatches);
            return;
        }
        for (int i = 0; i < StripeCount; i++)
        {
            if (Kind == RaidStepKind.Rebuild) Rebuild(i);
            else Compare(i);
        }
        if (Kind == RaidStepKind.Rebuild) _changed.Add((0, Target));
        if (_changed.Count == 0 || Kind == RaidStepKind.Check)
        {
            Succeed(_mismatches);
            return;
        }
        _isWriting = true;
        Submit();
    }

    private void Rebuild(int stripe)
    {
        int paritySlot = _layout.ParitySlot(FirstStripe + (ulong)stripe);
        byte** strips = stackalloc byte*[_layout.Members];
        int first = -1, second = -1;
        for (int role = 0; role < _layout.Members; role++)
        {
            int slot = _layout.SlotOf(paritySlot, role);
            strips[role] = Strip(stripe, slot);
            if (_wanted.Has(slot)) continue;
            if (first < 0) first = role;
            else second = role;
        }
        StripeParity.Recover(strips, _layout.Data, first, second, _layout.StripBytes);
    }

    /// <summary>Parity as it should be beside what it is. Where data is missing it is made again first, which uses up one parity; only another one then has something to tell.</summary>
    private void Compare(int stripe)
    {
        int paritySlot = _layout.ParitySlot(FirstStripe + (ulong)stripe);
        byte** strips = stackalloc byte*[_layout.Members];
        int lost = -1, lostCount = 0;
        for (int role = 0; role < _layout.Members; role++)
        {
            int slot = _layout.SlotOf(paritySlot, role);
            strips[role] = Strip(stripe, slot);
            if (_wanted.Has(slot)) continue;
            lostCount++;
            if (role < _layout.Data) lost = role;
        }
        if (lostCount >= _layout.Parities && lostCount > 0 && lost >= 0) return;
        // With P: Q is then what is compared.
        if (lost >= 0) StripeParity.Recover(strips, _layout.Data, lost, -1, _layout.StripBytes);
        if (_layout.Parities > 1) StripeParity.Generate(Computed(0), Computed(1), strips, _layout.Data, _layout.StripBytes);
        else StripeParity.Xor(Computed(0), strips, _layout.Data, _layout.StripBytes);
        for (uint at = 0; at < _layout.StripBytes; at += _layout.BlockSize)
        {
            bool differs = false;
            for (int parity = 0; parity < _layout.Parities; parity++)
            {
                if (!_wanted.Has(_layout.SlotOf(paritySlot, _layout.Data + parity))) continue;
                var there = new ReadOnlySpan<byte>(strips[_layout.Data + parity] + at, (int)_layout.BlockSize);
                differs |= !there.SequenceEqual(new ReadOnlySpan<byte>(Computed(parity) + at, (int)_layout.BlockSize));
            }
            if (differs) _mismatches++;
        }
        // What was made with P cannot tell which of the two is wrong.
        if (lost >= 0) return;
        for (int parity = 0; parity < _layout.Parities; parity++)
        {
            int slot = _layout.SlotOf(paritySlot, _layout.Data + parity);
            var there = new Span<byte>(strips[_layout.Data + parity], (int)_layout.StripBytes);
            var right = new ReadOnlySpan<byte>(Computed(parity), (int)_layout.StripBytes);
            if (!_wanted.Has(slot) || there.SequenceEqual(right)) continue;
            right.CopyTo(there);
            _changed.Add((stripe, slot));
        }
    }

    /// <inheritdoc/>
    public override void Dispose() => _memory.Dispose();
}
