using System.Globalization;
using System.Text;
using System.Text.Json;
using Spindle.Rpc;

namespace Spindle.Host.Rpc.Json;

/// <summary>Reads a JSON value that has passed <see cref="JsonScanner"/>. Errors name the place by its path, and say what would be right.</summary>
/// <param name="json">One valid JSON value, or nothing at all.</param>
/// <param name="root">What paths start with.</param>
/// <param name="errorCode">The code of the errors.</param>
/// <param name="errorText">The words that errors start with.</param>
/// <param name="known">The names at the top level, to list where an unknown one is found; may be empty.</param>
public sealed class RpcJsonReader(ReadOnlyMemory<byte> json, string root = "params", int errorCode = RpcErrorCode.InternalError,
    string errorText = "spdk_json_decode_object failed", IReadOnlyList<RpcParameterInfo>? known = null) : IRpcReader
{
    struct Level
    {
        public bool IsObject;
        public string Name;
        public int Index;
        public List<string>? Names;
        public HashSet<string>? ManyNames;
    }

    readonly List<Level> _levels = [];
    int _position;

    ReadOnlySpan<byte> Json => json.Span;

    int Position
    {
        get
        {
            SkipWhite();
            return _position;
        }
    }

    /// <inheritdoc/>
    public RpcValueKind Kind
    {
        get
        {
            SkipWhite();
            return _position >= json.Length ? RpcValueKind.None : Json[_position] switch
            {
                (byte)'{' => RpcValueKind.Object,
                (byte)'[' => RpcValueKind.Array,
                (byte)'"' => RpcValueKind.String,
                (byte)'t' or (byte)'f' => RpcValueKind.Boolean,
                (byte)'n' => RpcValueKind.Null,
                _ => RpcValueKind.Number,
            };
        }
    }

    /// <inheritdoc/>
    public string Path => PathTo(_levels.Count);

    string PathTo(int count)
    {
        if (count == 0)
        {
            return root;
        }
        var path = new StringBuilder(root);
        for (var i = 0; i < count; i++)
        {
            Append(path, _levels[i]);
        }
        return path.ToString();
    }

    static void Append(StringBuilder path, in Level level)
    {
        if (level.IsObject)
        {
            path.Append('.').Append(level.Name);
        }
        else
        {
            path.Append('[').Append(level.Index.ToString(CultureInfo.InvariantCulture)).Append(']');
        }
    }

    /// <inheritdoc/>
    public void BeginObject()
    {
        Expect(RpcValueKind.Object);
        _position++;
        _levels.Add(new Level { IsObject = true, Name = "", Index = -1 });
    }

    /// <inheritdoc/>
    public void BeginArray()
    {
        Expect(RpcValueKind.Array);
        _position++;
        _levels.Add(new Level { IsObject = false, Name = "", Index = -1 });
    }

    /// <inheritdoc/>
    public bool NextMember(out string name)
    {
        var level = Current(isObject: true);
        SkipWhite();
        if (Json[_position] == (byte)'}')
        {
            Leave();
            name = "";
            return false;
        }
        if (Json[_position] == (byte)',')
        {
            _position++;
            SkipWhite();
        }
        name = TakeString();
        SkipWhite();
        _position++; // the colon
        var isNew = AddName(ref level, name);
        (level.Name, level.Index) = (name, level.Index + 1);
        _levels[^1] = level;
        return isNew ? true : throw InvalidValue(Path, "is there twice; give it once");
    }

    static bool AddName(ref Level level, string name)
    {
        if (level.ManyNames is not null)
        {
            return level.ManyNames.Add(name);
        }
        level.Names ??= [];
        if (level.Names.Contains(name))
        {
            return false;
        }
        level.Names.Add(name);
        if (level.Names.Count > 16)
        {
            level.ManyNames = new HashSet<string>(level.Names, StringComparer.Ordinal);
        }
        return true;
    }

    /// <inheritdoc/>
    public bool NextElement()
    {
        var level = Current(isObject: false);
        SkipWhite();
        if (Json[_position] == (byte)']')
        {
            Leave();
            return false;
        }
        if (Json[_position] == (byte)',')
        {
            _position++;
        }
        level.Index++;
        _levels[^1] = level;
        return true;
    }

    Level Current(bool isObject) => _levels.Count > 0 && _levels[^1].IsObject == isObject ? _levels[^1]
        : throw new InvalidOperationException($"The reader is not inside an {(isObject ? "object" : "array")}.");

    void Leave()
    {
        _position++;
        _levels.RemoveAt(_levels.Count - 1);
    }

    /// <inheritdoc/>
    public bool ReadBoolean()
    {
        Expect(RpcValueKind.Boolean);
        var value = Json[_position] == (byte)'t';
        _position += value ? 4 : 5;
        return value;
    }

    /// <inheritdoc/>
    public string ReadString()
    {
        Expect(RpcValueKind.String);
        return TakeString();
    }

    /// <inheritdoc/>
    public ulong ReadUnsigned(ulong max = ulong.MaxValue)
    {
        Expect(RpcValueKind.Number);
        var problem = JsonNumber.ToInteger(PeekNumber(), out var negative, out var magnitude);
        if (negative && problem is null)
        {
            problem = "must not be negative";
        }
        if (problem is not null || magnitude > max)
        {
            throw InvalidValue(Path, $"{problem ?? "is too large"}; it takes integers from 0 to {max.ToString(CultureInfo.InvariantCulture)}");
        }
        _position += PeekNumber().Length;
        return magnitude;
    }

    /// <inheritdoc/>
    public long ReadSigned(long min = long.MinValue, long max = long.MaxValue)
    {
        Expect(RpcValueKind.Number);
        var problem = JsonNumber.ToInteger(PeekNumber(), out var negative, out var magnitude);
        var value = negative ? -(Int128)magnitude : (Int128)magnitude;
        if (problem is not null || value < min || value > max)
        {
            throw InvalidValue(Path, $"{problem ?? "is out of range"}; it takes integers from {min.ToString(CultureInfo.InvariantCulture)} to {max.ToString(CultureInfo.InvariantCulture)}");
        }
        _position += PeekNumber().Length;
        return (long)value;
    }

    /// <inheritdoc/>
    public double ReadDouble()
    {
        Expect(RpcValueKind.Number);
        var number = PeekNumber();
        var value = double.Parse(number, NumberStyles.Float, CultureInfo.InvariantCulture);
        if (!double.IsFinite(value))
        {
            throw InvalidValue(Path, "is too large");
        }
        _position += number.Length;
        return value;
    }

    /// <summary>The sign of the number to be read next; null when it is no integer of 64 bits.</summary>
    internal int? IntegerSign()
    {
        Expect(RpcValueKind.Number);
        return JsonNumber.ToInteger(PeekNumber(), out var negative, out var magnitude) is null && (!negative || magnitude <= 1UL << 63) ? (negative ? -1 : 1) : null;
    }

    /// <inheritdoc/>
    public void ReadNull()
    {
        Expect(RpcValueKind.Null);
        _position += 4;
    }

    /// <inheritdoc/>
    public void Skip()
    {
        SkipWhite();
        var depth = 0;
        do
        {
            SkipWhite();
            switch (Json[_position])
            {
                case (byte)'{' or (byte)'[':
                    depth++;
                    _position++;
                    break;
                case (byte)'}' or (byte)']':
                    depth--;
                    _position++;
                    break;
                case (byte)'"':
                    PassString();
                    break;
                case (byte)',' or (byte)':':
                    _position++;
                    continue;
                case (byte)'t' or (byte)'n':
                    _position += 4;
                    break;
                case (byte)'f':
                    _position += 5;
                    break;
                default:
                    _position += PeekNumber().Length;
                    break;
            }
        }
        while (depth > 0);
    }

    /// <summary>Passes over one value and gives its text.</summary>
    public ReadOnlyMemory<byte> TakeRaw()
    {
        var start = Position;
        Skip();
        return json[start.._position];
    }

    /// <inheritdoc/>
    public RpcException UnknownMember(string name)
    {
        var remedy = _levels.Count == 1 && known is { Count: > 0 } ? "; it takes: " + string.Join(", ", known.Select(k => k.Name)) : "; leave it out";
        return Error($"{PathTo(_levels.Count - 1)}.{name}", "is not known" + remedy);
    }

    /// <inheritdoc/>
    public RpcException MissingMember(string name)
    {
        // The object is left already, so its path is that of the value it was.
        return Error($"{Path}.{name}", "is missing; it is required");
    }

    /// <inheritdoc/>
    public RpcException InvalidValue(string path, string reason) => Error(path, reason);

    RpcException Error(string path, string reason) => new(errorCode, $"{errorText}: {path} {reason}");

    void Expect(RpcValueKind kind)
    {
        var found = Kind;
        if (found == kind)
        {
            return;
        }
        if (found == RpcValueKind.None)
        {
            throw Error(Path, "is missing");
        }
        if (_levels.Count == 0 && kind == RpcValueKind.Object && found == RpcValueKind.Array)
        {
            throw Error(Path, "must be an object with named members, not an array");
        }
        throw Error(Path, $"must be {Describe(kind)}, not {Describe(found)}");
    }

    static string Describe(RpcValueKind kind) => kind switch
    {
        RpcValueKind.Null => "null",
        RpcValueKind.Boolean => "true or false",
        RpcValueKind.Array => "an array",
        RpcValueKind.Object => "an object",
        RpcValueKind.Number => "a number",
        _ => "a string",
    };

    void SkipWhite()
    {
        while (_position < json.Length && Json[_position] is (byte)' ' or (byte)'\t' or (byte)'\n' or (byte)'\r')
        {
            _position++;
        }
    }

    ReadOnlySpan<byte> PeekNumber()
    {
        var rest = Json[_position..];
        var length = rest.IndexOfAnyExcept("+-.0123456789Ee"u8);
        return length < 0 ? rest : rest[..length];
    }

    /// <summary>Passes over a string.</summary>
    /// <returns>True when it has escapes.</returns>
    bool PassString()
    {
        var escapes = false;
        _position++;
        while (true)
        {
            _position += Json[_position..].IndexOfAny((byte)'"', (byte)'\\');
            if (Json[_position] == (byte)'"')
            {
                _position++;
                return escapes;
            }
            escapes = true;
            _position += 2;
        }
    }

    string TakeString()
    {
        var start = _position;
        var escapes = PassString();
        var quoted = Json[start.._position];
        if (!escapes)
        {
            return Encoding.UTF8.GetString(quoted[1..^1]);
        }
        var reader = new Utf8JsonReader(quoted);
        reader.Read();
        return reader.GetString()!;
    }
}
