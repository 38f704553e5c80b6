using System.Globalization;
using System.Text;
using Spindle.Rpc;

namespace Spindle.UnitTests.Modules;

/// <summary>Writes a result as text without quotes around names.</summary>
internal sealed class TextRpcWriter : IRpcWriter
{
    private readonly StringBuilder _text = new();
    private bool _first = true;

    public override string ToString() => _text.ToString();

    public void BeginObject() => Open('{');
    public void EndObject() => Close('}');
    public void BeginArray() => Open('[');
    public void EndArray() => Close(']');
    public void String(string? value) => Value(value is null ? "null" : $"\"{value}\"");
    public void Boolean(bool value) => Value(value ? "true" : "false");
    public void Number(long value) => Value(value.ToString(CultureInfo.InvariantCulture));
    public void Number(ulong value) => Value(value.ToString(CultureInfo.InvariantCulture));
    public void Number(double value) => Value(value.ToString(CultureInfo.InvariantCulture));
    public void Null() => Value("null");

    public void Name(string name)
    {
        if (!_first) _text.Append(',');
        _text.Append(name).Append(':');
        _first = true;
    }

    private void Open(char c)
    {
        _text.Append(c);
        _first = true;
    }

    private void Close(char c)
    {
        _text.Append(c);
        _first = false;
    }

    private void Value(string text)
    {
        if (!_first) _text.Append(',');
        _text.Append(text);
        _first = false;
    }
}

/// <summary>Parameters of one number, or of none.</summary>
internal sealed class OneNumberReader(string name, long? number) : IRpcReader
{
    private readonly long _value = number ?? 0;
    private int _at;

    public RpcValueKind Kind => number is null ? RpcValueKind.None : _at == 0 ? RpcValueKind.Object : RpcValueKind.Number;
    public string Path => "params";

    public void BeginObject() => _at = 1;

    public bool NextMember(out string member)
    {
        member = name;
        return _at++ == 1;
    }

    public ulong ReadUnsigned(ulong max = ulong.MaxValue) => (ulong)_value;
    public long ReadSigned(long min = long.MinValue, long max = long.MaxValue) => _value;
    public void BeginArray() => throw new NotSupportedException();
    public bool NextElement() => throw new NotSupportedException();
    public bool ReadBoolean() => throw new NotSupportedException();
    public string ReadString() => throw new NotSupportedException();
    public double ReadDouble() => _value;
    public void ReadNull() => throw new NotSupportedException();
    public void Skip() { }
    public RpcException UnknownMember(string member) => new(RpcErrorCode.InvalidParams, member);
    public RpcException MissingMember(string member) => new(RpcErrorCode.InvalidParams, member);
    public RpcException InvalidValue(string path, string reason) => new(RpcErrorCode.InvalidParams, reason);
}
