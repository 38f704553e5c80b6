using Spindle;
using Spindle.Io;
using Spindle.Memory;

namespace Acme.CompressedFile;

/// <summary>One operation on the file. Made once, used again.</summary>
internal abstract class FileOperation : RingOperation
{
    [DataPath]
    protected sealed override void OnCompleted(int result) => Completed(result);

    /// <summary>It ended: bytes, 0 or a negated error number.</summary>
    public abstract void Completed(int result);
}

/// <summary>What the store asks of its file. Methods return as those of <see cref="IIoRing"/> do, and complete on the calling thread.</summary>
internal interface IStoreFile : IDisposable
{
    int Read(IIoRing ring, ReadOnlySpan<IoVec> buffers, long offset, FileOperation operation);

    int Write(IIoRing ring, ReadOnlySpan<IoVec> buffers, long offset, FileOperation operation);

    /// <summary>Makes completed writes durable.</summary>
    int Flush(IIoRing ring, FileOperation operation);
}

internal sealed class RingStoreFile(RingFile file) : IStoreFile
{
    [DataPath]
    public int Read(IIoRing ring, ReadOnlySpan<IoVec> buffers, long offset, FileOperation operation) => ring.Read(file, buffers, offset, operation);

    [DataPath]
    public int Write(IIoRing ring, ReadOnlySpan<IoVec> buffers, long offset, FileOperation operation) => ring.Write(file, buffers, offset, operation);

    [DataPath]
    public int Flush(IIoRing ring, FileOperation operation) => ring.Flush(file, operation);

    public void Dispose() => file.Dispose();
}
