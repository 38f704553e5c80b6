namespace Spindle.Nvme.Tcp;

/// <summary>The end of a connection that received the PDU.</summary>
public enum PduReceiver : byte
{
    Controller,
    Host,
}

/// <summary>Where a connection is in its life.</summary>
public enum ConnectionPhase : byte
{
    /// <summary>Nothing received: a controller takes ICReq only, a host ICResp only.</summary>
    Initializing,
    /// <summary>Past ICReq and ICResp.</summary>
    Established,
}

/// <summary>What a connection's two ends agreed on, as the receiver of a PDU must know it.</summary>
public struct PduRules
{
    /// <summary>Which end receives.</summary>
    public PduReceiver Receiver;

    public ConnectionPhase Phase;

    /// <summary>Header digests in force (DGST of ICResp).</summary>
    public bool HeaderDigest;

    /// <summary>Data digests in force (DGST of ICResp).</summary>
    public bool DataDigest;

    /// <summary>Alignment the receiver asked for: a controller's CPDA, a host's HPDA.</summary>
    public byte Pda;

    /// <summary>Controller: largest in-capsule data of a command on this queue, bytes.</summary>
    public uint MaxInCapsuleData;

    /// <summary>Largest data in one data PDU, bytes: a controller's MAXH2CDATA; for a host, what it is ready to take.</summary>
    public uint MaxData;
}

/// <summary>Outcome of a check: valid, or the FES and FEI for the TermReq.</summary>
public readonly struct PduCheck
{
    private PduCheck(FatalErrorStatus fes, uint fei)
    {
        Fes = fes;
        Fei = fei;
    }

    /// <summary>Fatal Error Status; <see cref="FatalErrorStatus.None"/> when valid.</summary>
    public FatalErrorStatus Fes { get; }

    /// <summary>Fatal Error Information: the byte offset of the offending field for FES 01h and 06h, else 0.</summary>
    public uint Fei { get; }

    public bool IsValid => Fes == FatalErrorStatus.None;

    public static PduCheck Valid => default;

    public static PduCheck InvalidField(uint offset) => new(FatalErrorStatus.InvalidPduHeaderField, offset);

    public static PduCheck Unsupported(uint offset) => new(FatalErrorStatus.UnsupportedParameter, offset);

    public static PduCheck Failed(FatalErrorStatus fes) => new(fes, 0);

    public override string ToString() => IsValid ? "valid" : $"{Fes} at byte {Fei}";
}

/// <summary>
/// Checks of received PDUs against the NVMe TCP Transport Specification 1.0, used by controllers and hosts alike. Sections are that document's.
/// What needs the state of a command or a transfer (CCCID, TTAG, DATAO against an R2T) is the caller's. No allocation, no exception.
/// </summary>
public static class PduValidator
{
    private const uint FlagsOffset = 1, HlenOffset = 2, PdoOffset = 3, PlenOffset = 4;

    /// <summary>Offsets of fields in the PDU-specific headers, for FEI.</summary>
    public const uint PfvOffset = 8, PdaOffset = 10, DgstOffset = 11, Maxr2tOffset = 12, Maxh2cdataOffset = 12,
        CccidOffset = 8, TtagOffset = 10, DataoOffset = 12, DatalOffset = 16, FesOffset = 8;

    /// <summary>
    /// Checks a common header, before the rest of the PDU is read: after success PLEN and PDO are safe to use as lengths and
    /// PLEN - PDO (less the data digest) is at most the limit in <paramref name="rules"/>.
    /// </summary>
    public static PduCheck CheckHeader(in PduHeader header, in PduRules rules)
    {
        int hlen = PduLayout.HeaderLength(header.PduType);
        // 3.6.2: a type that does not exist is an invalid field.
        if (hlen == 0)
        {
            return PduCheck.InvalidField(0);
        }
        // 3.6.2.2 to 3.6.2.10 name each PDU's direction; 3.6.2.2, 3.6.2.3: ICReq and ICResp come first, and once. A TermReq may come at any time.
        if (!IsExpected(header.PduType, rules))
        {
            return PduCheck.Failed(FatalErrorStatus.PduSequenceError);
        }
        // 3.6.2: HLEN is fixed by the type.
        if (header.Hlen != hlen)
        {
            return PduCheck.InvalidField(HlenOffset);
        }
        return header.PduType switch
        {
            PduType.ICReq or PduType.ICResp => CheckFixed(header, hlen),
            PduType.H2CTermReq or PduType.C2HTermReq => CheckTermReq(header),
            PduType.CapsuleResp or PduType.R2T => CheckFixed(header, hlen + (rules.HeaderDigest ? PduLayout.DigestLength : 0), rules.HeaderDigest),
            _ => CheckWithData(header, hlen, rules),
        };
    }

    private static bool IsExpected(PduType type, in PduRules rules)
    {
        bool toController = type is PduType.ICReq or PduType.H2CTermReq or PduType.CapsuleCmd or PduType.H2CData;
        if (toController != (rules.Receiver == PduReceiver.Controller))
        {
            return false;
        }
        return type switch
        {
            PduType.ICReq or PduType.ICResp => rules.Phase == ConnectionPhase.Initializing,
            PduType.H2CTermReq or PduType.C2HTermReq => true,
            _ => rules.Phase == ConnectionPhase.Established,
        };
    }

    /// <summary>A PDU without data: PLEN is known to the byte and PDO is reserved (3.6.2: senders clear reserved fields; a receiver need not check PDO).</summary>
    private static PduCheck CheckFixed(in PduHeader header, int plen, bool headerDigest = false)
    {
        // 3.6.2: HDGSTF says what was negotiated, no other.
        if (headerDigest != ((header.Flags & PduFlags.Hdgstf) != 0))
        {
            return PduCheck.InvalidField(FlagsOffset);
        }
        return header.Plen == (uint)plen ? PduCheck.Valid : PduCheck.InvalidField(PlenOffset);
    }

    /// <summary>3.6.2.4, 3.6.2.5: 24 bytes and at most 128 of the offending header.</summary>
    private static PduCheck CheckTermReq(in PduHeader header) =>
        header.Plen is >= TermReq.Size and <= TermReq.MaxPlen ? PduCheck.Valid : PduCheck.InvalidField(PlenOffset);

    private static PduCheck CheckWithData(in PduHeader header, int hlen, in PduRules rules)
    {
        if (rules.HeaderDigest != ((header.Flags & PduFlags.Hdgstf) != 0))
        {
            return PduCheck.InvalidField(FlagsOffset);
        }
        uint prelude = (uint)(hlen + (rules.HeaderDigest ? PduLayout.DigestLength : 0));
        // 3.6.2.6: a command capsule need not carry data; then PDO is reserved and DDGSTF says nothing.
        if (header.PduType == PduType.CapsuleCmd && header.Plen == prelude)
        {
            return PduCheck.Valid;
        }
        if (rules.DataDigest != ((header.Flags & PduFlags.Ddgstf) != 0))
        {
            return PduCheck.InvalidField(FlagsOffset);
        }
        if (header.Plen < prelude)
        {
            return PduCheck.InvalidField(PlenOffset);
        }
        // 3.6.2.9: SUCCESS only together with LAST_PDU.
        if (header.PduType == PduType.C2HData && (header.Flags & (PduFlags.Success | PduFlags.LastPdu)) == PduFlags.Success)
        {
            return PduCheck.InvalidField(FlagsOffset);
        }
        // 3.6.2.2, 3.6.2.3 (HPDA, CPDA): data starts after the header and its digest, at a multiple of the receiver's alignment.
        if (header.Pdo < prelude || header.Pdo > PduLayout.MaxDataOffset || header.Pdo % ((rules.Pda + 1) * 4) != 0)
        {
            return PduCheck.InvalidField(PdoOffset);
        }
        uint trailer = rules.DataDigest ? (uint)PduLayout.DigestLength : 0;
        // At least one byte of data, or PLEN should have ended with the header.
        if (header.Plen <= header.Pdo + trailer)
        {
            return PduCheck.InvalidField(PlenOffset);
        }
        uint dataLength = header.Plen - header.Pdo - trailer;
        if (header.PduType == PduType.CapsuleCmd)
        {
            // 3.6.2.6: more in-capsule data than the capsule size (IOCCSZ) allows.
            return dataLength <= rules.MaxInCapsuleData ? PduCheck.Valid : PduCheck.Failed(FatalErrorStatus.DataTransferLimitExceeded);
        }
        // 3.6.2.3 (MAXH2CDATA).
        return dataLength <= rules.MaxData ? PduCheck.Valid : PduCheck.Failed(FatalErrorStatus.DataTransferLimitExceeded);
    }

    /// <summary>Bytes of data in a PDU whose header was found valid.</summary>
    public static uint DataLength(in PduHeader header, in PduRules rules)
    {
        if (!PduLayout.MayHaveDataDigest(header.PduType))
        {
            return header.PduType is PduType.H2CTermReq or PduType.C2HTermReq ? header.Plen - TermReq.Size : 0;
        }
        uint prelude = (uint)(header.Hlen + (rules.HeaderDigest ? PduLayout.DigestLength : 0));
        return header.Plen == prelude ? 0 : header.Plen - header.Pdo - (rules.DataDigest ? (uint)PduLayout.DigestLength : 0);
    }

    /// <summary>Checks the body of an ICReq (3.6.2.2).</summary>
    public static PduCheck CheckICReq(in ICReq req)
    {
        if (req.Pfv != 0)
        {
            return PduCheck.Unsupported(PfvOffset);
        }
        if (req.Hpda > PduLayout.MaxPda)
        {
            return PduCheck.InvalidField(PdaOffset);
        }
        return PduCheck.Valid;
    }

    /// <summary>Checks the body of an ICResp against the digests the host asked for (3.6.2.3).</summary>
    public static PduCheck CheckICResp(in ICResp resp, DigestTypes asked)
    {
        if (resp.Pfv != 0)
        {
            return PduCheck.Unsupported(PfvOffset);
        }
        if (resp.Cpda > PduLayout.MaxPda)
        {
            return PduCheck.InvalidField(PdaOffset);
        }
        // A controller may not turn on what the host did not ask for.
        if ((resp.Dgst & ~asked) != 0)
        {
            return PduCheck.InvalidField(DgstOffset);
        }
        if (resp.Maxh2cdata < PduLayout.MinMaxH2CData || resp.Maxh2cdata % 4 != 0)
        {
            return PduCheck.InvalidField(Maxh2cdataOffset);
        }
        return PduCheck.Valid;
    }

    /// <summary>
    /// Checks an H2CData against the R2T it answers (3.6.2.8): data must be the next bytes of that transfer.
    /// <paramref name="expectedOffset"/> is the DATAO of the next byte, <paramref name="remaining"/> what the R2T still asks for;
    /// the header must be valid. LAST_PDU must be set on the PDU that ends the R2T, and on no other.
    /// </summary>
    public static PduCheck CheckH2CData(in H2CData pdu, uint expectedOffset, uint remaining, in PduRules rules)
    {
        if (pdu.Datal != DataLength(pdu.Header, rules))
        {
            return PduCheck.InvalidField(DatalOffset);
        }
        if (pdu.Datao != expectedOffset || pdu.Datal > remaining)
        {
            return PduCheck.Failed(FatalErrorStatus.DataTransferOutOfRange);
        }
        // Every H2CData but an R2T's last ends on a dword, so that DATAO stays a multiple of 4.
        if (pdu.Datal != remaining && pdu.Datal % 4 != 0)
        {
            return PduCheck.InvalidField(DatalOffset);
        }
        bool last = (pdu.Header.Flags & PduFlags.LastPdu) != 0;
        return last == (pdu.Datal == remaining) ? PduCheck.Valid : PduCheck.InvalidField(FlagsOffset);
    }
}
