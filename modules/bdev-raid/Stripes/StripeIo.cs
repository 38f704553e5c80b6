using Spindle.Bdevs;
using Spindle.Memory;

namespace Spindle.Bdev.Raid.Stripes;

/// <summary>One I/O of an array with parity; the host has split it so that it lies in one stripe. Reads go straight to the members. Writes, and reads of what a missing member had,
/// have the stripe's lock, then a buffer, then read what they need of the stripe, and write what has changed.</summary>
internal sealed unsafe partial class StripeIo : RaidIo
{
    private const int MostAttempts = 3;

    private enum Phase : byte
    {
        /// <summary>Reads into the submitter's memory.</summary>
        Read,
        /// <summary>Reads strips of the stripe into the buffer.</summary>
        Gather,
        /// <summary>Writes data and parity.</summary>
        Write,
        /// <summary>Flushes or resets members.</summary>
        Fan,
    }

    private readonly ParityLevel _level;
    private readonly StripeLayout _layout;
    private readonly StripeTurn _turn;
    private StripeChannel _state = null!;
    private Phase _phase;
    private ulong _stripe;
    private int _paritySlot;
    private int _firstRole, _lastRole; // of the data that the I/O touches
    private uint _firstOffset;         // block in the first of these
    private uint _low, _high;          // blocks in strips: what is read and computed
    private StripePool? _pool;
    private int _buffer = -1;
    private MemberSet _wanted;         // roles that are read, or written
    private MemberSet _unreadable;     // roles of which a read failed
    private MemberSet _unwritten;      // roles of which a write failed
    private MemberSet _again;          // roles whose write was aborted
    private int _next, _remaining, _attempts;
    private bool _isLocked;
    private BdevIoResult _result;

    internal StripeIo(ParityLevel level, BdevIo io) : base(io)
    {
        (_level, _layout) = (level, level.Layout);
        _turn = new StripeTurn(this);
    }

    /// <summary>The next one in line for a buffer.</summary>
    internal StripeIo? NextInPool { get; set; }

    /// <inheritdoc/>
    [DataPath]
    protected override void OnSubmitted()
    {
        _state = (StripeChannel)Channel.LevelState!;
        _unreadable = _unwritten = _again = default;
        _attempts = 0;
        _result = BdevIoResult.Of(BdevIoStatus.Success);
        var io = Io;
        if (io.Type is not (BdevIoType.Read or BdevIoType.Write))
        {
            FanOut();
            return;
        }
        _stripe = io.OffsetBlocks / _layout.StripeBlocks;
        ulong inside = io.OffsetBlocks - _stripe * _layout.StripeBlocks;
        _paritySlot = _layout.ParitySlot(_stripe);
        _firstRole = (int)(inside >> _layout.StripShift);
        _lastRole = (int)(inside + io.NumBlocks - 1 >> _layout.StripShift);
        _firstOffset = (uint)inside & _layout.StripBlocks - 1;
        if (_firstRole == _lastRole) (_low, _high) = (_firstOffset, _firstOffset + (uint)io.NumBlocks);
        else (_low, _high) = (0, _layout.StripBlocks);
        if (io.Type == BdevIoType.Read) BeginRead();
        else Lock();
    }

    /// <summary>What of a data strip the I/O touches, in blocks of the strip.</summary>
    [DataPath]
    private (uint From, uint To) Touched(int role)
    {
        if (role < _firstRole || role > _lastRole) return (0, 0);
        uint from = role == _firstRole ? _firstOffset : 0;
        ulong end = _firstOffset + Io.NumBlocks - ((ulong)(uint)(role - _firstRole) << _layout.StripShift);
        return (from, (uint)Math.Min(end, _layout.StripBlocks));
    }

    /// <summary>Where the data of that part of a strip starts in the I/O's vectors, in bytes.</summary>
    [DataPath]
    private uint BytesBefore(int role, uint block) => ((uint)(role - _firstRole) * _layout.StripBlocks + block - _firstOffset) * _layout.BlockSize;

    /// <summary>Who has a role's strip; null when nobody has it now.</summary>
    [DataPath]
    private RaidMemberChannel? Holder(int role) => Channel.Readable(_layout.SlotOf(_paritySlot, role), _stripe + 1 << _layout.StripShift);

    [DataPath]
    private void Lock()
    {
        _isLocked = true;
        if (_level.Locks.TryEnter(_stripe, _turn)) Entered();
    }

    /// <summary>The lock is there; by a message, since whoever gave it may be on another thread.</summary>
    [DataPath]
    internal void SendEntered() => Channel.Thread.Send(_level.Entered, this);

    [DataPath]
    internal void Entered()
    {
        _pool = Io.Type == BdevIoType.Write && Io.NumBlocks == _layout.StripeBlocks ? _state.Parities : _state.Stripes;
        int number = _pool.Take(this);
        if (number >= 0) Buffered(number);
    }

    /// <summary>The buffer is there.</summary>
    [DataPath]
    internal void Buffered(int number)
    {
        _buffer = number;
        if (Io.Type == BdevIoType.Read) GatherForRead();
        else if (_pool == _state.Parities) WriteStripe();
        else WritePart();
    }

    /// <summary>A role's strip in the buffer, from the beginning of the window.</summary>
    [DataPath]
    private IoVec Strip(int role) =>
        _pool!.Strip(_buffer, _pool == _state.Parities ? role - _layout.Data : role, _layout.StripBytes, (_high - _low) * _layout.BlockSize);

    /// <summary>Ends it, with lock and buffer given back.</summary>
    [DataPath]
    private void End(BdevIoResult result)
    {
        if (_buffer >= 0)
        {
            int number = _buffer;
            _buffer = -1;
            _pool!.Put(number);
        }
        if (_isLocked)
        {
            _isLocked = false;
            _level.Locks.Leave(_stripe, _turn);
        }
        Complete(in result);
    }

    /// <inheritdoc/>
    [DataPath]
    protected override void OnAvailable()
    {
        switch (_phase)
        {
            case Phase.Read: SubmitReads(); break;
            case Phase.Gather: SubmitGather(); break;
            case Phase.Write: SubmitWrites(); break;
            default: SubmitFan(); break;
        }
    }

    /// <inheritdoc/>
    [DataPath]
    protected internal override void OnMemberCompleted(RaidMemberChannel member, in BdevIoResult result)
    {
        if (!result.IsSuccess) Failed(member, in result);
        EndOfOne();
    }

    [DataPath]
    private void EndOfOne()
    {
        if (--_remaining > 0) return;
        switch (_phase)
        {
            case Phase.Read: OnRead(); break;
            case Phase.Gather: OnGathered(); break;
            case Phase.Write when !_again.IsEmpty:
                _attempts++;
                _wanted = _again;
                _again = default;
                _next = 0;
                _remaining = 1;
                SubmitWrites();
                break;
            default:
                if (!IsSettling) OnFailuresSettled();
                break;
        }
    }

    /// <summary>A failed read is made up for by the others; a failed write takes its member out, which no longer has the array's data.</summary>
    [DataPath]
    private void Failed(RaidMemberChannel member, in BdevIoResult result)
    {
        _result = result;
        if (_phase == Phase.Fan)
        {
            if (Io.Type == BdevIoType.Reset) return;
            _unwritten.Add(member.Slot);
            FailMember(member);
            return;
        }
        int role = _layout.RoleOf(_paritySlot, member.Slot);
        if (_phase is Phase.Read or Phase.Gather)
        {
            _unreadable.Add(role);
            return;
        }
        if (result.Status == BdevIoStatus.Aborted && _attempts < MostAttempts && Channel.Members[member.Slot] == member)
        {
            // A reset, which does not wait for writes. Members that have it and others that have not would not fit: it is written again.
            _again.Add(role);
            return;
        }
        _unwritten.Add(role);
        FailMember(member);
    }
}
