namespace Spindle.Bench.Reports;

/// <summary>One line that says what runs now, on a terminal only.</summary>
public sealed class ProgressLine
{
    private readonly bool _terminal = !Console.IsErrorRedirected;
    private int _length;

    public void Show(string text)
    {
        if (!_terminal) return;
        Console.Error.Write("\r" + text.PadRight(_length));
        _length = text.Length;
    }

    public void Clear()
    {
        if (!_terminal || _length == 0) return;
        Console.Error.Write("\r" + new string(' ', _length) + "\r");
        _length = 0;
    }
}
