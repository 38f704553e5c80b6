namespace Spindle.Host.Manifests;

/// <summary>A file written by hand that does not say what it should: which file, where in it, what is wrong and what would be right.</summary>
public sealed class ManifestException : SpindleException
{
    /// <param name="file">The file.</param>
    /// <param name="line">From 1; 0 when it is about the file as a whole.</param>
    /// <param name="field">The path of the member, "modules[1].version" for example; empty for the whole.</param>
    /// <param name="problem">What is wrong, and the remedy.</param>
    /// <param name="errno">EINVAL, or ENOENT for a file that is missing.</param>
    public ManifestException(string file, int line, string field, string problem, int errno = Spindle.Errno.EINVAL)
        : base(errno, $"{file}{(line > 0 ? $", line {line}" : "")}{(field.Length > 0 ? $", {field}" : "")}: {problem}")
    {
        File = file;
        Line = line;
        Field = field;
        Problem = problem;
    }

    /// <summary>The file.</summary>
    public string File { get; }

    /// <summary>From 1; 0 when it is about the file as a whole.</summary>
    public int Line { get; }

    /// <summary>The path of the member; empty for the whole.</summary>
    public string Field { get; }

    /// <summary>What is wrong, and the remedy.</summary>
    public string Problem { get; }
}
