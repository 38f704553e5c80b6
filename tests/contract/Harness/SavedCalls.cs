using Spindle.Rpc;

namespace Spindle.ContractTests.Harness;

/// <summary>A configuration being saved, as lines: the method, then name=value of its parameters.</summary>
public sealed class SavedCalls : IConfigWriter
{
    public List<string> Calls { get; } = [];

    public void Call(string method, Action<IRpcWriter>? writeParameters)
    {
        var text = new TextWriterOfRpc();
        writeParameters?.Invoke(text);
        Calls.Add($"{method} {text}".TrimEnd());
    }
}

/// <summary>What is written, as words: name=value, with braces and brackets around objects and arrays.</summary>
public sealed class TextWriterOfRpc : IRpcWriter
{
    private readonly List<string> _words = [];
    private string _name = "";

    private void Add(string word)
    {
        _words.Add(_name + word);
        _name = "";
    }

    public void BeginObject() => Add("{");
    public void EndObject() => Add("}");
    public void BeginArray() => Add("[");
    public void EndArray() => Add("]");
    public void Name(string name) => _name = name + "=";
    public void String(string? value) => Add(value ?? "null");
    public void Boolean(bool value) => Add(value ? "true" : "false");
    public void Number(long value) => Add(value.ToString(System.Globalization.CultureInfo.InvariantCulture));
    public void Number(ulong value) => Add(value.ToString(System.Globalization.CultureInfo.InvariantCulture));
    public void Number(double value) => Add(value.ToString(System.Globalization.CultureInfo.InvariantCulture));
    public void Null() => Add("null");
    public override string ToString() => string.Join(' ', _words);
}
