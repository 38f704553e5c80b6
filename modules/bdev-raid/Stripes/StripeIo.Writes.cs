using Spindle.Bdevs;
using Spindle.Memory;
using Spindle.Parity;

namespace Spindle.Bdev.Raid.Stripes;

/// <summary>Writing: whole stripes with parity from what is written; parts by the cheaper of two ways, either of what changes (read-modify-write) or of what stays (reconstruct-write).</summary>
internal sealed unsafe partial class StripeIo
{
    private bool _modifies; // parity is brought up to date by what changes

    /// <summary>A whole stripe: nothing has to be read.</summary>
    [DataPath]
    private void WriteStripe()
    {
        ScatteredParity.Generate(Io.Iovs, _layout.Data, _layout.StripBytes, Strip(_layout.Data).Pointer, _layout.Parities > 1 ? Strip(_layout.Data + 1).Pointer : null);
        WriteAll();
    }

    /// <summary>A part of a stripe: reads what the new parity is made from.</summary>
    [DataPath]
    private void WritePart()
    {
        int reconstruct = PlanReconstruction(), modify = CountModification();
        if (modify < 0 && reconstruct < 0)
        {
            End(DoubtOr(Errno.EIO));
            return;
        }
        _modifies = modify >= 0 && (reconstruct < 0 || modify <= reconstruct);
        if (_modifies) PlanModification();
        Gather();
    }

    /// <summary>Wants the data that stays; or, where some of it is missing, all that it is made from.</summary>
    /// <returns>Strips to be read, or -1.</returns>
    [DataPath]
    private int PlanReconstruction()
    {
        _wanted = default;
        int count = 0;
        for (int role = 0; role < _layout.Data; role++)
        {
            var (from, to) = Touched(role);
            if (from <= _low && to >= _high) continue;
            if (!IsThere(role)) return WantAll() ? _layout.Data : -1;
            _wanted.Add(role);
            count++;
        }
        return count;
    }

    /// <summary>Strips to be read for read-modify-write, or -1: what is there of the old data of a strip is needed.</summary>
    [DataPath]
    private int CountModification()
    {
        for (int role = _firstRole; role <= _lastRole; role++)
            if (!IsThere(role)) return -1;
        int count = _lastRole - _firstRole + 1;
        for (int role = _layout.Data; role < _layout.Members; role++)
        {
            if (IsThere(role)) count++;
            // One that cannot be read and is there would be left behind.
            else if (Holder(role) is not null) return -1;
        }
        return count;
    }

    [DataPath]
    private void PlanModification()
    {
        _wanted = default;
        for (int role = _firstRole; role <= _lastRole; role++) _wanted.Add(role);
        for (int role = _layout.Data; role < _layout.Members; role++)
            if (IsThere(role)) _wanted.Add(role);
    }

    [DataPath]
    private void FinishPart()
    {
        if (_modifies) Modify();
        else Reconstruct();
        WriteAll();
    }

    [DataPath]
    private void Modify()
    {
        bool p = _wanted.Has(_layout.Data), q = _layout.Parities > 1 && _wanted.Has(_layout.Data + 1);
        for (int role = _firstRole; role <= _lastRole; role++)
        {
            var (from, to) = Touched(role);
            uint at = (from - _low) * _layout.BlockSize, length = (to - from) * _layout.BlockSize;
            byte* change = Strip(role).Pointer + at;
            VectorRange.AddTo(Io.Iovs, BytesBefore(role, from), length, change);
            if (p) StripeParity.Add(Strip(_layout.Data).Pointer + at, change, length);
            if (q) StripeParity.UpdateQ(Strip(_layout.Data + 1).Pointer + at, change, role, length);
        }
    }

    [DataPath]
    private void Reconstruct()
    {
        for (int role = 0; role < _layout.Data; role++)
        {
            var (from, to) = Touched(role);
            if (_wanted.Has(role) || (from <= _low && to >= _high)) continue;
            Recover();
            break;
        }
        for (int role = _firstRole; role <= _lastRole; role++)
        {
            var (from, to) = Touched(role);
            VectorRange.CopyTo(Io.Iovs, BytesBefore(role, from), (to - from) * _layout.BlockSize, Strip(role).Pointer + (from - _low) * _layout.BlockSize);
        }
        byte** strips = stackalloc byte*[_layout.Data];
        for (int role = 0; role < _layout.Data; role++) strips[role] = Strip(role).Pointer;
        uint length = (_high - _low) * _layout.BlockSize;
        if (_layout.Parities > 1) StripeParity.Generate(Strip(_layout.Data).Pointer, Strip(_layout.Data + 1).Pointer, strips, _layout.Data, length);
        else StripeParity.Xor(Strip(_layout.Data).Pointer, strips, _layout.Data, length);
    }

    /// <summary>Writes the data to those that are there, and the parity.</summary>
    [DataPath]
    private void WriteAll()
    {
        _phase = Phase.Write;
        int holders = 0;
        _wanted = default;
        for (int role = 0; role < _layout.Members; role++)
        {
            if (Holder(role) is null) continue;
            holders++;
            if (role >= _layout.Data || (role >= _firstRole && role <= _lastRole)) _wanted.Add(role);
        }
        if (holders < _layout.Data)
        {
            End(BdevIoResult.FromErrno(Errno.EIO));
            return;
        }
        _next = 0;
        _remaining = 1; // until all are submitted
        SubmitWrites();
    }

    [DataPath]
    private void SubmitWrites()
    {
        while (_next < _layout.Members)
        {
            int role = _next;
            // One that is gone meanwhile is made up for by the parity.
            if (_wanted.Has(role) && Holder(role) is { } member)
            {
                int error = Write(role, member);
                if (error == -Errno.ENOMEM)
                {
                    if (WaitsFor(member)) return;
                    continue;
                }
                if (error == 0) _remaining++;
                else Failed(member, BdevIoResult.FromErrno(error));
            }
            _next++;
        }
        EndOfOne();
    }

    [DataPath]
    private int Write(int role, RaidMemberChannel member)
    {
        ulong start = _stripe << _layout.StripShift;
        if (role < _layout.Data)
        {
            var (from, to) = Touched(role);
            var vectors = _firstRole == _lastRole ? Io.Iovs : _state.Part(Io.Iovs, BytesBefore(role, from), (to - from) * _layout.BlockSize);
            return member.Write(this, vectors, start + from, to - from);
        }
        var strip = Strip(role);
        return member.Write(this, new ReadOnlySpan<IoVec>(in strip), start + _low, _high - _low);
    }

    /// <summary>All has ended, and members that failed are out; one that is still in could not be done without.</summary>
    [DataPath]
    protected override void OnFailuresSettled()
    {
        if (_remaining > 0) return;
        var result = BdevIoResult.Of(BdevIoStatus.Success);
        if (_phase == Phase.Fan && Io.Type == BdevIoType.Reset) result = _result;
        else if (!_unwritten.IsEmpty)
        {
            for (int i = 0; i < _layout.Members; i++)
            {
                int slot = _phase == Phase.Fan ? i : _layout.SlotOf(_paritySlot, i);
                if (_unwritten.Has(i) && Channel.Members[slot] is not null && Channel.Target != slot) result = _result;
            }
        }
        End(result);
    }

    /// <summary>A flush or a reset of all members.</summary>
    [DataPath]
    private void FanOut()
    {
        _phase = Phase.Fan;
        _next = 0;
        _remaining = 1; // until all are submitted
        SubmitFan();
    }

    [DataPath]
    private void SubmitFan()
    {
        while (_next < _layout.Members)
        {
            if (Channel.Members[_next] is { } member)
            {
                int error = member.Do(this, Io.Type, 0, member.Member.DataBlocks);
                if (error == -Errno.ENOMEM)
                {
                    if (WaitsFor(member)) return;
                    continue;
                }
                if (error == 0) _remaining++;
                else Failed(member, BdevIoResult.FromErrno(error));
            }
            _next++;
        }
        EndOfOne();
    }
}
