using Spindle.Bdevs;

namespace Spindle.Testing;

/// <summary>How a submission ended: refused with an error, or completed with a result.</summary>
/// <param name="Error">What the submitting method returned: 0 or a negated error number.</param>
/// <param name="Result">Meaningful when <paramref name="Error"/> is 0.</param>
public readonly record struct Outcome(int Error, BdevIoResult Result)
{
    /// <summary>It was accepted and has succeeded.</summary>
    public bool IsSuccess => Error == 0 && Result.IsSuccess;

    /// <summary>The status; <see cref="BdevIoStatus.Pending"/> when it was refused.</summary>
    public BdevIoStatus Status => Error == 0 ? Result.Status : BdevIoStatus.Pending;

    /// <inheritdoc/>
    public override string ToString() => Error != 0 ? $"refused: {Errno.Message(Error)} ({Error})" : $"{Result.Status} (errno {Result.ErrorNumber})";
}
