namespace Spindle;

/// <summary>A control-plane failure with an error number. Over RPC it becomes an error whose code is the negated number.
/// Never thrown on the data path.</summary>
public class SpindleException : Exception
{
    /// <param name="errno">One of <see cref="Spindle.Errno"/>'s constants, positive.</param>
    /// <param name="message">A sentence that names the object or field and the remedy.</param>
    public SpindleException(int errno, string message) : base(message) => Errno = Math.Abs(errno);

    /// <summary>An error with the C library's own text.</summary>
    public SpindleException(int errno) : this(errno, Spindle.Errno.Message(errno)) { }

    /// <summary>The error number, positive.</summary>
    public int Errno { get; }
}
