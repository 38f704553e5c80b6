using System.Text;

namespace Spindle.InteropTests.Guest;

/// <summary>What a script left behind.</summary>
/// <param name="ExitCode">Its exit status; 128 + N when signal N ended it.</param>
/// <param name="Output">Its standard output.</param>
/// <param name="Error">Its standard error.</param>
public sealed record GuestResult(int ExitCode, string Output, string Error)
{
    /// <summary>Standard output without the last newline; throws <see cref="GuestException"/> when the exit status is not 0.</summary>
    public string Succeeded() =>
        ExitCode == 0 ? Output.TrimEnd('\n') : throw new GuestException($"The script in the guest ended with exit status {ExitCode}.{Tail()}");

    internal string Tail()
    {
        var text = new StringBuilder();
        foreach (var (name, content) in new[] { ("output", Output), ("errors", Error) })
            if (content.Length > 0) text.Append($"\n--- {name} ---\n").Append(content.Length > 4000 ? "…" + content[^4000..] : content);
        return text.ToString();
    }
}

/// <summary>The guest, or a script in it, did not do what the test asked for.</summary>
public class GuestException(string message) : Exception(message);

/// <summary>A script did not end in time; it has been killed, the guest goes on.</summary>
public sealed class GuestTimeoutException(string message, GuestResult soFar) : GuestException(message)
{
    /// <summary>The output until then; the exit status is -1.</summary>
    public GuestResult SoFar { get; } = soFar;
}
