using System.Runtime.InteropServices;
using Spindle.Bdevs;
using Spindle.Memory;

namespace Spindle.Host.Memory;

/// <summary>Buffers that a faulty module still has: their I/O was failed for it, but its code, or a device it drives, may yet write to them. They go back into
/// use when the module completes the I/O after all, or when its code is gone.</summary>
internal static unsafe class BufferQuarantine
{
    private static readonly Lock s_lock = new();
    private static readonly List<Loan> s_loans = [];
    private static volatile int s_count;

    private sealed class Loan(BdevIo io, uint generation, object owner, IoVec[] buffers)
    {
        // Weak: an I/O object leads to the module's bdev, and would keep its code loaded.
        private readonly WeakReference<BdevIo> _io = new(io);

        public bool IsOf(BdevIo io) => _io.TryGetTarget(out var own) && ReferenceEquals(own, io);

        public readonly uint Generation = generation;
        public readonly object Owner = owner;
        public readonly IoVec[] Buffers = buffers;
        public nint Vectors;

        /// <summary>Its host has ended: no buffer of a pool that is in use can be one of these, though memory given back to the system may have come to lie there.</summary>
        public bool HostEnded;
        public readonly List<(IobufPool Pool, IoVec Buffer)> Parked = [];
        public readonly List<Action> Frees = [];

        public bool Covers(nint address, nuint length)
        {
            foreach (var buffer in Buffers)
                if (buffer.Address < address + (nint)length && address < buffer.Address + (nint)buffer.Length) return true;
            return false;
        }
    }

    /// <summary>True while there is anything in quarantine; a plain read, for the data path.</summary>
    public static bool IsActive => s_count != 0;

    /// <summary>I/Os whose buffers are held.</summary>
    public static int Count => s_count;

    /// <summary>I/Os of one module whose buffers are held.</summary>
    /// <param name="owner">The module's context.</param>
    public static int CountOf(object? owner)
    {
        lock (s_lock) return s_loans.Count(l => ReferenceEquals(l.Owner, owner));
    }

    /// <summary>An I/O is failed while its module has it.</summary>
    /// <param name="io">The I/O.</param>
    /// <param name="generation">Its use.</param>
    /// <param name="owner">The context of the module that has it.</param>
    public static void Add(BdevIo io, uint generation, object owner)
    {
        if (io.IovCount == 0) return;
        lock (s_lock)
        {
            s_loans.Add(new Loan(io, generation, owner, [.. io.Iovs]));
            s_count = s_loans.Count;
        }
    }

    /// <summary>The I/O object's vectors are about to be freed. True: the module may still read them, so that they are freed when the I/O comes back.</summary>
    public static bool KeepVectors(BdevIo io)
    {
        if (!IsActive) return false;
        lock (s_lock)
        {
            if (s_loans.Find(l => l.IsOf(io)) is not { } loan) return false;
            loan.Vectors = io.DetachVectors();
            return true;
        }
    }

    /// <summary>A pool's buffer comes back. True: it is kept here for now.</summary>
    public static bool Park(IobufPool pool, in IoVec buffer)
    {
        lock (s_lock)
        {
            foreach (var loan in s_loans)
            {
                if (loan.HostEnded || !loan.Covers(buffer.Address, buffer.Length)) continue;
                loan.Parked.Add((pool, buffer));
                return true;
            }
        }
        return false;
    }

    /// <summary>Memory is about to be unmapped. True: <paramref name="free"/> is called later.</summary>
    public static bool Defer(nint address, nuint length, Action free)
    {
        lock (s_lock)
        {
            foreach (var loan in s_loans)
            {
                if (!loan.Covers(address, length)) continue;
                loan.Frees.Add(free);
                return true;
            }
        }
        return false;
    }

    /// <summary>The module has completed an I/O after all.</summary>
    public static void Return(BdevIo io, uint generation) => Return(loan => loan.IsOf(io) && loan.Generation == generation);

    /// <summary>The module's code is gone: nobody is left who could use them.</summary>
    /// <param name="owner">The module's context.</param>
    public static void ReturnAllOf(object owner) => Return(loan => ReferenceEquals(loan.Owner, owner));

    /// <summary>A module's host ends, another one of this process may go on: what the module still has stays mapped, and concerns no other pool.</summary>
    /// <param name="owner">The module's context.</param>
    public static void EndHostOf(object owner)
    {
        if (!IsActive) return;
        lock (s_lock)
            foreach (var loan in s_loans) loan.HostEnded |= ReferenceEquals(loan.Owner, owner);
    }

    /// <summary>A pool ends, with its host: nothing goes back into it.</summary>
    public static void Forget(IobufPool pool)
    {
        if (!IsActive) return;
        lock (s_lock)
            foreach (var loan in s_loans) loan.Parked.RemoveAll(p => ReferenceEquals(p.Pool, pool));
    }

    private static void Return(Predicate<Loan> which)
    {
        List<Loan> returned;
        lock (s_lock)
        {
            returned = s_loans.FindAll(which);
            if (returned.Count == 0) return;
            s_loans.RemoveAll(which);
            s_count = s_loans.Count;
        }
        foreach (var loan in returned)
        {
            if (loan.Vectors != 0) NativeMemory.Free((void*)loan.Vectors);
            // Another loan may cover them, too.
            foreach (var (pool, buffer) in loan.Parked)
                if (!Park(pool, buffer)) pool.Push(buffer);
            foreach (var free in loan.Frees) free();
        }
    }
}
