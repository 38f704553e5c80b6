using Spindle.Bdevs;
using Spindle.Memory;
using Spindle.Parity;

namespace Spindle.Bdev.Raid.Stripes;

/// <summary>Reading: straight from the members, or what is missing made from the others.</summary>
internal sealed unsafe partial class StripeIo
{
    [DataPath]
    private void BeginRead()
    {
        for (int role = _firstRole; role <= _lastRole; role++)
        {
            if (Holder(role) is not null) continue;
            Lock();
            return;
        }
        _phase = Phase.Read;
        _next = _firstRole;
        _remaining = _lastRole - _firstRole + 1;
        SubmitReads();
    }

    [DataPath]
    private void SubmitReads()
    {
        while (_next <= _lastRole)
        {
            int role = _next;
            int error = -Errno.EIO;
            if (Holder(role) is { } member)
            {
                var (from, to) = Touched(role);
                var vectors = _firstRole == _lastRole ? Io.Iovs : _state.Part(Io.Iovs, BytesBefore(role, from), (to - from) * _layout.BlockSize);
                error = member.Read(this, vectors, (_stripe << _layout.StripShift) + from, to - from);
                if (error == -Errno.ENOMEM)
                {
                    if (WaitsFor(member)) return;
                    continue;
                }
            }
            _next++;
            if (error == 0) continue;
            _unreadable.Add(role);
            _result = BdevIoResult.FromErrno(error);
            if (--_remaining > 0) continue;
            OnRead();
            return;
        }
    }

    [DataPath]
    private void OnRead()
    {
        if (_unreadable.IsEmpty) End(BdevIoResult.Of(BdevIoStatus.Success));
        else Lock(); // what could not be read is made from the others
    }

    /// <summary>Reads what the touched strips are made from. All of them come through the buffer.</summary>
    [DataPath]
    private void GatherForRead()
    {
        _wanted = default;
        int lost = 0;
        for (int role = _firstRole; role <= _lastRole; role++)
        {
            if (IsThere(role)) _wanted.Add(role);
            else lost++;
        }
        // Meanwhile a member may have come.
        if (lost > 0 && !WantAll()) End(DoubtOr(Errno.EIO));
        else Gather();
    }

    /// <summary>Whether a strip can be read, as far as is known.</summary>
    [DataPath]
    private bool IsThere(int role) => !_unreadable.Has(role) && Holder(role) is not null;

    /// <summary>Wants all data strips that are there, and as much parity as others are missing.</summary>
    /// <returns>False: too much is missing, or the parity is not to be trusted.</returns>
    [DataPath]
    private bool WantAll()
    {
        int lost = 0;
        for (int role = 0; role < _layout.Data; role++)
        {
            if (IsThere(role)) _wanted.Add(role);
            else lost++;
        }
        if (lost == 0) return true;
        if (!_level.IsInStep(Channel, _stripe)) return false;
        for (int role = _layout.Data; role < _layout.Members && lost > 0; role++)
        {
            if (!IsThere(role)) continue;
            _wanted.Add(role);
            lost--;
        }
        return lost == 0;
    }

    /// <summary>Why it could not be read: the member's own word, if it gave one.</summary>
    [DataPath]
    private BdevIoResult DoubtOr(int errno) => _result.IsSuccess ? BdevIoResult.FromErrno(errno) : _result;

    /// <summary>Reads the wanted strips' windows into the buffer.</summary>
    [DataPath]
    private void Gather()
    {
        _phase = Phase.Gather;
        _next = 0;
        _remaining = 1; // until all are submitted
        SubmitGather();
    }

    [DataPath]
    private void SubmitGather()
    {
        while (_next < _layout.Members)
        {
            int role = _next;
            if (_wanted.Has(role))
            {
                int error = -Errno.EIO;
                if (Holder(role) is { } member)
                {
                    var strip = Strip(role);
                    error = member.Read(this, new ReadOnlySpan<IoVec>(in strip), (_stripe << _layout.StripShift) + _low, _high - _low);
                    if (error == -Errno.ENOMEM)
                    {
                        if (WaitsFor(member)) return;
                        continue;
                    }
                }
                if (error == 0) _remaining++;
                else
                {
                    _unreadable.Add(role);
                    _result = BdevIoResult.FromErrno(error);
                }
            }
            _next++;
        }
        EndOfOne();
    }

    [DataPath]
    private void OnGathered()
    {
        for (int role = 0; role < _layout.Members; role++)
        {
            if (!_unreadable.Has(role) || !_wanted.Has(role)) continue;
            // One more is missing: from the beginning, without it.
            if (Io.Type == BdevIoType.Read) GatherForRead();
            else WritePart();
            return;
        }
        if (Io.Type == BdevIoType.Read) FinishRead();
        else FinishPart();
    }

    /// <summary>Makes the data strips again that were not read, if any are needed.</summary>
    [DataPath]
    private void Recover()
    {
        int first = -1, second = -1;
        for (int role = 0; role < _layout.Data; role++)
        {
            if (_wanted.Has(role)) continue;
            if (first < 0) first = role;
            else second = role;
        }
        if (first < 0) return;
        // One that is lost with P comes from Q, whose way makes P again in the buffer.
        if (second < 0 && !_wanted.Has(_layout.Data)) second = _layout.Data;
        byte** strips = stackalloc byte*[_layout.Members];
        for (int role = 0; role < _layout.Members; role++) strips[role] = Strip(role).Pointer;
        StripeParity.Recover(strips, _layout.Data, first, second, (_high - _low) * _layout.BlockSize);
    }

    [DataPath]
    private void FinishRead()
    {
        for (int role = _firstRole; role <= _lastRole; role++)
        {
            if (_wanted.Has(role)) continue;
            Recover();
            break;
        }
        for (int role = _firstRole; role <= _lastRole; role++)
        {
            var (from, to) = Touched(role);
            VectorRange.CopyFrom(Io.Iovs, BytesBefore(role, from), (to - from) * _layout.BlockSize, Strip(role).Pointer + (from - _low) * _layout.BlockSize);
        }
        if (!_unreadable.IsEmpty) AskForRepair();
        End(BdevIoResult.Of(BdevIoStatus.Success));
    }

    /// <summary>What a member could not read is written there again, from the others.</summary>
    [DataPath]
    private void AskForRepair()
    {
        for (int role = 0; role < _layout.Members; role++)
            if (_unreadable.Has(role) && Holder(role) is { } member) Channel.Repair(member, _stripe * _layout.StripeBlocks, _layout.StripeBlocks);
    }
}
