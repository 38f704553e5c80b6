using Spindle.Memory;
using Spindle.Nvme.Commands;

namespace Spindle.Nvme.Initiator.Queues;

/// <summary>A command has ended; called once, on the queue's storage thread. The command is free again by then.</summary>
/// <param name="state"><see cref="NvmeCommand.State"/>.</param>
/// <param name="completion">What the controller said, or <see cref="NvmeQueue.Lost"/> when the queue ended first.</param>
public delegate void NvmeCompletion(object? state, in CompletionQueueEntry completion);

/// <summary>One place in a queue, used again and again. Whoever took it fills it and submits it; its memory of data is lent until the completion.</summary>
public abstract unsafe class NvmeCommand
{
    /// <summary>Bytes of <see cref="Scratch"/>.</summary>
    public const uint ScratchSize = 64;

    private readonly IoVec[] _data;

    private protected NvmeCommand(ushort index, int maxVectors, IoVec scratch)
    {
        Index = index;
        _data = new IoVec[maxVectors];
        Scratch = scratch;
    }

    /// <summary>The place's number, from 0.</summary>
    internal ushort Index { get; }

    /// <summary>The command; its identifier, PSDT and data pointer are the queue's.</summary>
    public SubmissionQueueEntry Entry;

    /// <summary>Who is told of the end.</summary>
    public NvmeCompletion? Completed { get; set; }

    /// <summary>Handed to <see cref="Completed"/>.</summary>
    public object? State { get; set; }

    /// <summary>Memory of the command's own, for data that its owner makes: ranges, for example. Belongs to the queue.</summary>
    public IoVec Scratch { get; }

    /// <summary>Bytes of data.</summary>
    public uint DataLength { get; private set; }

    /// <summary>The data goes to the controller.</summary>
    public bool ToController { get; private set; }

    /// <summary>The storage thread's time (<see cref="Threading.IStorageThread.Now"/>) at the submission.</summary>
    public long SubmittedAt { get; set; }

    /// <summary>The queue has it. False between <see cref="NvmeQueue.TryTake"/> and the submission, and when it is free.</summary>
    public bool IsOutstanding { get; internal set; }

    /// <summary>The data's memory.</summary>
    public ReadOnlySpan<IoVec> Data => _data.AsSpan(0, VectorCount);

    internal int VectorCount { get; private set; }
    internal NvmeCommand? NextFree { get; set; }

    /// <summary>Says where the data is. The vectors are copied; at most as many as the queue was made for, and at most 2^32 - 1 bytes.</summary>
    [DataPath]
    public void SetData(ReadOnlySpan<IoVec> vectors, bool toController)
    {
        uint length = 0;
        for (int i = 0; i < vectors.Length; i++)
        {
            _data[i] = vectors[i];
            length += vectors[i].Length;
        }
        VectorCount = vectors.Length;
        DataLength = length;
        ToController = toController;
    }

    /// <summary>Makes the first bytes of <see cref="Scratch"/> the data.</summary>
    [DataPath]
    public void SetScratchData(uint length, bool toController)
    {
        _data[0] = Scratch.Slice(0, length);
        VectorCount = 1;
        DataLength = length;
        ToController = toController;
    }

    /// <summary>There is no data.</summary>
    [DataPath]
    public void SetNoData()
    {
        VectorCount = 0;
        DataLength = 0;
        ToController = false;
    }
}
