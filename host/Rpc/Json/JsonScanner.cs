namespace Spindle.Host.Rpc.Json;

/// <summary>How a scan ended.</summary>
internal enum JsonScanResult
{
    /// <summary>All bytes were taken and the value, if one has begun, goes on.</summary>
    More,

    /// <summary>A value has ended; the position is the byte after it.</summary>
    Value,

    /// <summary>The bytes are not JSON.</summary>
    Invalid,
}

/// <summary>Finds where JSON values end in a stream of bytes, and checks on the way that they are JSON to the letter of RFC 8259: no comments, no
/// trailing commas, valid UTF-8 (no surrogates, no overlong forms), paired surrogate escapes, no raw control characters. Every byte is looked
/// at once, however the stream was cut into pieces; all state is in the struct.</summary>
internal struct JsonScanner(int maxDepth)
{
    enum State : byte
    {
        Value, FirstElement, FirstName, Name, Colon, AfterItem, String, Escape, Hex, LowEscape, LowEscapeU, Literal,
        Minus, Zero, Digits, Point, Fraction, Exponent, ExponentSign, ExponentDigits,
    }

    State _state;
    bool _isName;
    bool _highSurrogate;
    byte _hexLeft;
    int _hexValue;
    byte _utf8Left;
    byte _utf8Low;
    byte _utf8High;
    int _literalLeft;
    ReadOnlyMemory<byte> _literal;
    ulong _objects; // bit n is set when the container at depth n is an object
    int _depth;

    static readonly byte[] s_true = "true"u8.ToArray();
    static readonly byte[] s_false = "false"u8.ToArray();
    static readonly byte[] s_null = "null"u8.ToArray();

    /// <summary>Bytes of the current value taken so far; 0 between values.</summary>
    public long Length { get; private set; }

    /// <summary>The current value's first byte; 0 between values.</summary>
    public byte FirstByte { get; private set; }

    /// <summary>True while the current top-level value is a number that could end here.</summary>
    public readonly bool IsNumberThatMayEnd => _depth == 0 && Length > 0 && MayEnd(_state);

    /// <summary>True when the current top-level value is, or began as, a number that could have ended.</summary>
    public bool BeganAsNumber { get; private set; }

    /// <summary>What is wrong, after <see cref="JsonScanResult.Invalid"/>.</summary>
    public string Error { get; private set; } = "";

    /// <summary>Takes bytes from <paramref name="position"/> on, until a value ends or the data does.</summary>
    public JsonScanResult Scan(ReadOnlySpan<byte> data, ref int position)
    {
        while (position < data.Length)
        {
            var c = data[position];
            if (Length == 0)
            {
                if (c is (byte)' ' or (byte)'\t' or (byte)'\n' or (byte)'\r')
                {
                    position++;
                    continue;
                }
                FirstByte = c;
                _state = State.Value;
            }
            else if (_depth == 0 && MayEnd(_state) && !ContinuesNumber(c))
            {
                return JsonScanResult.Value; // a top-level number ends before this byte
            }
            position++;
            Length++;
            if (!Take(c))
            {
                if (Error.Length == 0)
                {
                    Error = c is >= 0x20 and < 0x7f ? $"'{(char)c}' does not belong here" : $"byte 0x{c:x2} does not belong here";
                }
                return JsonScanResult.Invalid;
            }
            if (_depth == 0)
            {
                if (_state == State.AfterItem)
                {
                    return JsonScanResult.Value;
                }
                BeganAsNumber |= MayEnd(_state);
            }
        }
        return JsonScanResult.More;
    }

    /// <summary>Forgets the value that has just ended. Its length stays readable until then.</summary>
    public void Next() => (Length, FirstByte, BeganAsNumber) = (0, 0, false);

    static bool MayEnd(State state) => state is State.Zero or State.Digits or State.Fraction or State.ExponentDigits;

    readonly bool ContinuesNumber(byte c) => _state switch
    {
        State.Zero => c is (byte)'.' or (byte)'e' or (byte)'E' or (>= (byte)'0' and <= (byte)'9'),
        State.Digits => c is (byte)'.' or (byte)'e' or (byte)'E' or (>= (byte)'0' and <= (byte)'9'),
        State.Fraction => c is (byte)'e' or (byte)'E' or (>= (byte)'0' and <= (byte)'9'),
        _ => c is >= (byte)'0' and <= (byte)'9',
    };

    bool Take(byte c)
    {
        if (MayEnd(_state) && !ContinuesNumber(c))
        {
            _state = State.AfterItem;
        }
        switch (_state)
        {
            case State.String:
                return TakeInString(c);
            case State.Escape:
                return TakeEscape(c);
            case State.Hex:
                return TakeHex(c);
            case State.LowEscape:
                _state = State.LowEscapeU;
                return c == (byte)'\\' || Fail("a high surrogate escape is not followed by a low one");
            case State.LowEscapeU:
                (_state, _hexLeft, _hexValue) = (State.Hex, 4, 0);
                return c == (byte)'u' || Fail("a high surrogate escape is not followed by a low one");
            case State.Literal:
                if (c != _literal.Span[^_literalLeft])
                {
                    return false;
                }
                if (--_literalLeft == 0)
                {
                    _state = State.AfterItem;
                }
                return true;
            case State.Minus:
                _state = c == (byte)'0' ? State.Zero : State.Digits;
                return c is >= (byte)'0' and <= (byte)'9';
            case State.Zero:
            case State.Digits:
            case State.Fraction:
                return TakeNumber(c);
            case State.Point:
                _state = State.Fraction;
                return c is >= (byte)'0' and <= (byte)'9';
            case State.Exponent when c is (byte)'+' or (byte)'-':
                _state = State.ExponentSign;
                return true;
            case State.Exponent:
            case State.ExponentSign:
            case State.ExponentDigits:
                _state = State.ExponentDigits;
                return c is >= (byte)'0' and <= (byte)'9';
        }
        if (c is (byte)' ' or (byte)'\t' or (byte)'\n' or (byte)'\r')
        {
            return true;
        }
        switch (_state)
        {
            case State.Value:
                return TakeValue(c);
            case State.FirstElement:
                return c == (byte)']' ? Leave() : TakeValue(c);
            case State.FirstName when c == (byte)'}':
                return Leave();
            case State.FirstName:
            case State.Name:
                (_state, _isName) = (State.String, true);
                return c == (byte)'"';
            case State.Colon:
                _state = State.Value;
                return c == (byte)':';
            default:
                return TakeAfterItem(c);
        }
    }

    bool TakeNumber(byte c)
    {
        if (c == (byte)'.')
        {
            _state = State.Point; // ContinuesNumber has seen to it that there is no second one
            return true;
        }
        if (c is (byte)'e' or (byte)'E')
        {
            _state = State.Exponent;
            return true;
        }
        return _state != State.Zero || Fail("a number has a leading zero");
    }

    bool TakeValue(byte c)
    {
        switch (c)
        {
            case (byte)'{':
                return Enter(isObject: true);
            case (byte)'[':
                return Enter(isObject: false);
            case (byte)'"':
                (_state, _isName) = (State.String, false);
                return true;
            case (byte)'-':
                _state = State.Minus;
                return true;
            case (byte)'0':
                _state = State.Zero;
                return true;
            case >= (byte)'1' and <= (byte)'9':
                _state = State.Digits;
                return true;
            case (byte)'t':
                return Literal(s_true);
            case (byte)'f':
                return Literal(s_false);
            case (byte)'n':
                return Literal(s_null);
            case (byte)'/':
                return Fail("comments are not allowed");
            default:
                return false;
        }
    }

    bool Literal(byte[] text)
    {
        (_state, _literal, _literalLeft) = (State.Literal, text, text.Length - 1);
        return true;
    }

    bool TakeAfterItem(byte c)
    {
        if (_depth == 0)
        {
            return false;
        }
        var isObject = (_objects >> (_depth - 1) & 1) != 0;
        switch (c)
        {
            case (byte)',':
                _state = isObject ? State.Name : State.Value;
                return true;
            case (byte)'}':
                return isObject && Leave();
            case (byte)']':
                return !isObject && Leave();
            default:
                return false;
        }
    }

    bool Enter(bool isObject)
    {
        if (_depth >= maxDepth)
        {
            return Fail($"the value is nested more than {maxDepth} levels deep");
        }
        var bit = 1UL << _depth++;
        _objects = isObject ? _objects | bit : _objects & ~bit;
        _state = isObject ? State.FirstName : State.FirstElement;
        return true;
    }

    bool Leave()
    {
        _depth--;
        _state = State.AfterItem;
        return true;
    }

    bool TakeInString(byte c)
    {
        if (_utf8Left > 0)
        {
            var fits = c >= _utf8Low && c <= _utf8High;
            (_utf8Left, _utf8Low, _utf8High) = ((byte)(_utf8Left - 1), 0x80, 0xbf);
            return fits || Fail("a string is not valid UTF-8");
        }
        switch (c)
        {
            case (byte)'"':
                _state = _isName ? State.Colon : State.AfterItem;
                return true;
            case (byte)'\\':
                _state = State.Escape;
                return true;
            case < 0x20:
                return Fail("a string holds a raw control character; write it as an escape");
            case < 0x80:
                return true;
            // The well-formed sequences of Unicode 16.0, table 3-7.
            case >= 0xc2 and <= 0xdf:
                return Utf8(1, 0x80, 0xbf);
            case 0xe0:
                return Utf8(2, 0xa0, 0xbf);
            case 0xed:
                return Utf8(2, 0x80, 0x9f);
            case >= 0xe1 and <= 0xef:
                return Utf8(2, 0x80, 0xbf);
            case 0xf0:
                return Utf8(3, 0x90, 0xbf);
            case >= 0xf1 and <= 0xf3:
                return Utf8(3, 0x80, 0xbf);
            case 0xf4:
                return Utf8(3, 0x80, 0x8f);
            default:
                return Fail("a string is not valid UTF-8");
        }
    }

    bool Utf8(byte left, byte low, byte high)
    {
        (_utf8Left, _utf8Low, _utf8High) = (left, low, high);
        return true;
    }

    bool TakeEscape(byte c)
    {
        if (c == (byte)'u')
        {
            (_state, _hexLeft, _hexValue) = (State.Hex, 4, 0);
            return true;
        }
        _state = State.String;
        return c is (byte)'"' or (byte)'\\' or (byte)'/' or (byte)'b' or (byte)'f' or (byte)'n' or (byte)'r' or (byte)'t' || Fail("a string holds an unknown escape");
    }

    bool TakeHex(byte c)
    {
        var digit = c switch
        {
            >= (byte)'0' and <= (byte)'9' => c - '0',
            >= (byte)'a' and <= (byte)'f' => c - 'a' + 10,
            >= (byte)'A' and <= (byte)'F' => c - 'A' + 10,
            _ => -1,
        };
        if (digit < 0)
        {
            return Fail("a \\u escape needs four hexadecimal digits");
        }
        _hexValue = (_hexValue << 4) | digit;
        if (--_hexLeft > 0)
        {
            return true;
        }
        var isLow = _hexValue is >= 0xdc00 and <= 0xdfff;
        if (_highSurrogate != isLow)
        {
            return Fail("a surrogate escape has no partner");
        }
        _highSurrogate = _hexValue is >= 0xd800 and <= 0xdbff;
        _state = _highSurrogate ? State.LowEscape : State.String;
        return true;
    }

    bool Fail(string error)
    {
        Error = error;
        return false;
    }
}
