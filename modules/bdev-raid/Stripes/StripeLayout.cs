namespace Spindle.Bdev.Raid.Stripes;

/// <summary>Where the strips of a stripe are. A strip's role is its number among the data strips, or above these P and then Q; its slot is the member that has it. Parity rotates,
/// so that no member has all of it.</summary>
internal sealed class StripeLayout
{
    private readonly bool _dataFollowsParity;

    /// <param name="members">Slots.</param>
    /// <param name="parities">1: P; 2: P and Q.</param>
    /// <param name="stripBlocks">Blocks of a strip, a power of two.</param>
    /// <param name="blockSize">Bytes.</param>
    /// <param name="dataFollowsParity">Data starts behind Q and goes round; else it takes the slots in order, leaving out P's.</param>
    internal StripeLayout(int members, int parities, uint stripBlocks, uint blockSize, bool dataFollowsParity)
    {
        (Members, Parities, StripBlocks, BlockSize, _dataFollowsParity) = (members, parities, stripBlocks, blockSize, dataFollowsParity);
        Data = members - parities;
        StripShift = System.Numerics.BitOperations.Log2(stripBlocks);
        StripeBlocks = stripBlocks * (ulong)Data;
        if ((ulong)stripBlocks * blockSize > 1 << 28 || StripeBlocks * blockSize > 1 << 30)
        {
            throw new SpindleException(Errno.EINVAL, $"A stripe of {Data} strips of {(ulong)stripBlocks * blockSize / 1024} KiB is larger than the 1 GiB that one write may have: give a smaller strip_size_kb.");
        }
        StripBytes = stripBlocks * blockSize;
    }

    /// <summary>Slots, which is strips of a stripe.</summary>
    internal int Members { get; }

    /// <summary>Of these, parity.</summary>
    internal int Parities { get; }

    /// <summary>Of these, data. It is also P's role.</summary>
    internal int Data { get; }

    /// <summary>Blocks of a strip.</summary>
    internal uint StripBlocks { get; }

    /// <summary>Its exponent.</summary>
    internal int StripShift { get; }

    /// <summary>Bytes of a block.</summary>
    internal uint BlockSize { get; }

    /// <summary>Bytes of a strip.</summary>
    internal uint StripBytes { get; }

    /// <summary>Blocks of data in a stripe.</summary>
    internal ulong StripeBlocks { get; }

    /// <summary>The slot of P.</summary>
    [DataPath]
    internal int ParitySlot(ulong stripe) => Members - 1 - (int)(stripe % (uint)Members);

    /// <summary>The slot of a role.</summary>
    /// <param name="paritySlot">The stripe's <see cref="ParitySlot"/>.</param>
    /// <param name="role">The role.</param>
    [DataPath]
    internal int SlotOf(int paritySlot, int role)
    {
        if (_dataFollowsParity)
        {
            int slot = paritySlot + (role < Data ? Parities + role : role - Data);
            return slot < Members ? slot : slot - Members;
        }
        return role == Data ? paritySlot : role < paritySlot ? role : role + 1;
    }

    /// <summary>The role of a slot.</summary>
    [DataPath]
    internal int RoleOf(int paritySlot, int slot)
    {
        if (_dataFollowsParity)
        {
            int behind = slot - paritySlot;
            if (behind < 0) behind += Members;
            return behind < Parities ? Data + behind : behind - Parities;
        }
        return slot == paritySlot ? Data : slot < paritySlot ? slot : slot - 1;
    }
}
