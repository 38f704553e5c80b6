using Spindle.Nvme.Tcp;

namespace Spindle.UnitTests.Nvme;

/// <summary>The checks of received NVMe/TCP PDUs, rule by rule, and that a header found valid is safe to act on.</summary>
public class PduValidatorTests
{
    private const uint Capsule = 4096, MaxData = 131072;

    private static PduRules Rules(PduReceiver receiver = PduReceiver.Controller, bool hdgst = false, bool ddgst = false, byte pda = 0, ConnectionPhase phase = ConnectionPhase.Established) => new()
    {
        Receiver = receiver,
        Phase = phase,
        HeaderDigest = hdgst,
        DataDigest = ddgst,
        Pda = pda,
        MaxInCapsuleData = Capsule,
        MaxData = MaxData,
    };

    private static PduHeader H(PduType type, PduFlags flags, byte hlen, byte pdo, uint plen) => new() { PduType = type, Flags = flags, Hlen = hlen, Pdo = pdo, Plen = plen };

    private const PduFlags Hd = PduFlags.Hdgstf, Dd = PduFlags.Ddgstf, Last = PduFlags.LastPdu, Success = PduFlags.Success;
    private const FatalErrorStatus Ok = FatalErrorStatus.None, Field = FatalErrorStatus.InvalidPduHeaderField, Sequence = FatalErrorStatus.PduSequenceError,
        Limit = FatalErrorStatus.DataTransferLimitExceeded;

    public static TheoryData<string, PduType, PduFlags, byte, byte, uint, FatalErrorStatus, uint> ToController() => new()
    {
        { "capsule without data", PduType.CapsuleCmd, 0, 72, 0, 72, Ok, 0 },
        { "capsule without data, DDGSTF means nothing", PduType.CapsuleCmd, Dd, 72, 0, 72, Ok, 0 },
        { "capsule with data", PduType.CapsuleCmd, 0, 72, 72, 72 + 512, Ok, 0 },
        { "capsule with padded data", PduType.CapsuleCmd, 0, 72, 128, 128 + 512, Ok, 0 },
        { "capsule full", PduType.CapsuleCmd, 0, 72, 72, 72 + Capsule, Ok, 0 },
        { "capsule too full", PduType.CapsuleCmd, 0, 72, 72, 72 + Capsule + 1, Limit, 0 },
        { "capsule of 4 GiB", PduType.CapsuleCmd, 0, 72, 72, uint.MaxValue, Limit, 0 },
        { "header digest not negotiated", PduType.CapsuleCmd, Hd, 72, 0, 76, Field, 1 },
        { "data digest not negotiated", PduType.CapsuleCmd, Dd, 72, 72, 72 + 512, Field, 1 },
        { "HLEN small", PduType.CapsuleCmd, 0, 71, 0, 72, Field, 2 },
        { "HLEN large", PduType.CapsuleCmd, 0, 73, 0, 73, Field, 2 },
        { "HLEN zero", PduType.CapsuleCmd, 0, 0, 0, 72, Field, 2 },
        { "PLEN below header", PduType.CapsuleCmd, 0, 72, 0, 71, Field, 4 },
        { "PLEN zero", PduType.CapsuleCmd, 0, 72, 0, 0, Field, 4 },
        { "PDO inside the header", PduType.CapsuleCmd, 0, 72, 68, 72 + 512, Field, 3 },
        { "PDO zero with data", PduType.CapsuleCmd, 0, 72, 0, 72 + 512, Field, 3 },
        { "PDO not a dword", PduType.CapsuleCmd, 0, 72, 73, 72 + 512, Field, 3 },
        { "PDO too far", PduType.CapsuleCmd, 0, 72, 148, 148 + 512, Field, 3 },
        { "PDO at the end", PduType.CapsuleCmd, 0, 72, 76, 76, Field, 4 },
        { "PDO past the end", PduType.CapsuleCmd, 0, 72, 128, 100, Field, 4 },
        { "H2CData", PduType.H2CData, Last, 24, 24, 24 + 4096, Ok, 0 },
        { "H2CData at MAXH2CDATA", PduType.H2CData, 0, 24, 24, 24 + MaxData, Ok, 0 },
        { "H2CData above MAXH2CDATA", PduType.H2CData, 0, 24, 24, 24 + MaxData + 4, Limit, 0 },
        { "H2CData without data", PduType.H2CData, 0, 24, 24, 24, Field, 4 },
        { "H2CData short", PduType.H2CData, 0, 24, 24, 23, Field, 4 },
        { "termination", PduType.H2CTermReq, 0, 24, 0, 24, Ok, 0 },
        { "termination with a header", PduType.H2CTermReq, 0, 24, 0, 152, Ok, 0 },
        { "termination too long", PduType.H2CTermReq, 0, 24, 0, 153, Field, 4 },
        { "termination too short", PduType.H2CTermReq, 0, 24, 0, 23, Field, 4 },
        { "second ICReq", PduType.ICReq, 0, 128, 0, 128, Sequence, 0 },
        { "PDU of the other direction: ICResp", PduType.ICResp, 0, 128, 0, 128, Sequence, 0 },
        { "PDU of the other direction: CapsuleResp", PduType.CapsuleResp, 0, 24, 0, 24, Sequence, 0 },
        { "PDU of the other direction: C2HData", PduType.C2HData, 0, 24, 24, 28, Sequence, 0 },
        { "PDU of the other direction: R2T", PduType.R2T, 0, 24, 0, 24, Sequence, 0 },
        { "PDU of the other direction: C2HTermReq", PduType.C2HTermReq, 0, 24, 0, 24, Sequence, 0 },
        { "type 08h", (PduType)0x08, 0, 24, 0, 24, Field, 0 },
        { "type 0Ah", (PduType)0x0A, 0, 24, 0, 24, Field, 0 },
        { "type FFh", (PduType)0xFF, 0, 24, 0, 24, Field, 0 },
    };

    [Theory]
    [MemberData(nameof(ToController))]
    public void Controller_without_digests(string rule, PduType type, PduFlags flags, byte hlen, byte pdo, uint plen, FatalErrorStatus fes, uint fei)
    {
        Expect(rule, PduValidator.CheckHeader(H(type, flags, hlen, pdo, plen), Rules()), fes, fei);
    }

    public static TheoryData<string, PduType, PduFlags, byte, byte, uint, FatalErrorStatus, uint> ToControllerWithDigests() => new()
    {
        { "capsule without data", PduType.CapsuleCmd, Hd, 72, 0, 76, Ok, 0 },
        { "capsule without data, DDGSTF set as Linux does for reads", PduType.CapsuleCmd, Hd | Dd, 72, 0, 76, Ok, 0 },
        { "capsule with data", PduType.CapsuleCmd, Hd | Dd, 72, 76, 76 + 512 + 4, Ok, 0 },
        { "capsule full", PduType.CapsuleCmd, Hd | Dd, 72, 76, 76 + Capsule + 4, Ok, 0 },
        { "capsule too full", PduType.CapsuleCmd, Hd | Dd, 72, 76, 76 + Capsule + 5, Limit, 0 },
        { "HDGSTF missing", PduType.CapsuleCmd, 0, 72, 0, 72, Field, 1 },
        { "DDGSTF missing", PduType.CapsuleCmd, Hd, 72, 76, 76 + 512 + 4, Field, 1 },
        { "data only the digest", PduType.CapsuleCmd, Hd | Dd, 72, 76, 80, Field, 4 },
        { "data in the header digest", PduType.CapsuleCmd, Hd | Dd, 72, 72, 76 + 512 + 4, Field, 3 },
        { "no room for the header digest", PduType.CapsuleCmd, Hd | Dd, 72, 76, 75, Field, 4 },
        { "H2CData", PduType.H2CData, Hd | Dd | Last, 24, 28, 28 + 4096 + 4, Ok, 0 },
        { "termination never has digests", PduType.H2CTermReq, 0, 24, 0, 24, Ok, 0 },
    };

    [Theory]
    [MemberData(nameof(ToControllerWithDigests))]
    public void Controller_with_both_digests(string rule, PduType type, PduFlags flags, byte hlen, byte pdo, uint plen, FatalErrorStatus fes, uint fei)
    {
        Expect(rule, PduValidator.CheckHeader(H(type, flags, hlen, pdo, plen), Rules(hdgst: true, ddgst: true)), fes, fei);
    }

    public static TheoryData<string, PduType, PduFlags, byte, byte, uint, FatalErrorStatus, uint> ToHost() => new()
    {
        { "response", PduType.CapsuleResp, 0, 24, 0, 24, Ok, 0 },
        { "response too long", PduType.CapsuleResp, 0, 24, 0, 28, Field, 4 },
        { "response with a digest not negotiated", PduType.CapsuleResp, Hd, 24, 0, 28, Field, 1 },
        { "R2T", PduType.R2T, 0, 24, 0, 24, Ok, 0 },
        { "R2T short", PduType.R2T, 0, 24, 0, 20, Field, 4 },
        { "data", PduType.C2HData, 0, 24, 24, 24 + 512, Ok, 0 },
        { "last data", PduType.C2HData, Last, 24, 24, 24 + 512, Ok, 0 },
        { "last data with success", PduType.C2HData, Last | Success, 24, 24, 24 + 512, Ok, 0 },
        { "success before the last", PduType.C2HData, Success, 24, 24, 24 + 512, Field, 1 },
        { "termination", PduType.C2HTermReq, 0, 24, 0, 96, Ok, 0 },
        { "command", PduType.CapsuleCmd, 0, 72, 0, 72, Sequence, 0 },
        { "second ICResp", PduType.ICResp, 0, 128, 0, 128, Sequence, 0 },
    };

    [Theory]
    [MemberData(nameof(ToHost))]
    public void Host_without_digests(string rule, PduType type, PduFlags flags, byte hlen, byte pdo, uint plen, FatalErrorStatus fes, uint fei)
    {
        Expect(rule, PduValidator.CheckHeader(H(type, flags, hlen, pdo, plen), Rules(PduReceiver.Host)), fes, fei);
    }

    [Fact]
    public void Only_initialization_and_termination_come_before_the_handshake()
    {
        PduRules controller = Rules(phase: ConnectionPhase.Initializing);
        Expect("ICReq", PduValidator.CheckHeader(H(PduType.ICReq, 0, 128, 0, 128), controller), Ok, 0);
        Expect("ICReq long", PduValidator.CheckHeader(H(PduType.ICReq, 0, 128, 0, 132), controller), Field, 4);
        Expect("ICReq HLEN", PduValidator.CheckHeader(H(PduType.ICReq, 0, 24, 0, 128), controller), Field, 2);
        Expect("ICReq HDGSTF", PduValidator.CheckHeader(H(PduType.ICReq, Hd, 128, 0, 128), controller), Field, 1);
        Expect("TermReq", PduValidator.CheckHeader(H(PduType.H2CTermReq, 0, 24, 0, 24), controller), Ok, 0);
        Expect("CapsuleCmd", PduValidator.CheckHeader(H(PduType.CapsuleCmd, 0, 72, 0, 72), controller), Sequence, 0);
        Expect("H2CData", PduValidator.CheckHeader(H(PduType.H2CData, 0, 24, 24, 512), controller), Sequence, 0);
        PduRules host = Rules(PduReceiver.Host, phase: ConnectionPhase.Initializing);
        Expect("ICResp", PduValidator.CheckHeader(H(PduType.ICResp, 0, 128, 0, 128), host), Ok, 0);
        Expect("CapsuleResp", PduValidator.CheckHeader(H(PduType.CapsuleResp, 0, 24, 0, 24), host), Sequence, 0);
    }

    [Theory]
    [InlineData(0, false, 72)]
    [InlineData(0, true, 76)]
    [InlineData(3, false, 80)]
    [InlineData(3, true, 80)]
    [InlineData(31, true, 128)]
    [InlineData(17, true, 144)]
    [InlineData(17, false, 72)]
    public void Data_starts_at_a_multiple_of_the_receivers_alignment(byte pda, bool hdgst, int pdo)
    {
        Assert.Equal(pdo, PduLayout.DataOffset(72, hdgst, pda));
        PduHeader header = PduLayout.HeaderWithData(PduType.CapsuleCmd, 0, hdgst, true, pda, 512);
        Assert.Equal(pdo, header.Pdo);
        Assert.Equal((uint)pdo + 512 + 4, header.Plen);
        PduRules rules = Rules(hdgst: hdgst, ddgst: true, pda: pda);
        Expect("own header", PduValidator.CheckHeader(header, rules), Ok, 0);
        Assert.Equal(512u, PduValidator.DataLength(header, rules));
        if (pda > 0)
        {
            header.Pdo += 4;
            Expect("not aligned", PduValidator.CheckHeader(header, rules), Field, 3);
        }
    }

    [Fact]
    public void Largest_data_offset_is_what_alignment_can_call_for()
    {
        int largest = 0;
        for (byte pda = 0; pda <= PduLayout.MaxPda; pda++)
        {
            foreach (int hlen in (int[])[24, 72])
            {
                largest = Math.Max(largest, Math.Max(PduLayout.DataOffset(hlen, false, pda), PduLayout.DataOffset(hlen, true, pda)));
            }
        }
        Assert.Equal(PduLayout.MaxDataOffset, largest);
    }

    [Theory]
    [InlineData(0x5EED)]
    public void A_valid_header_is_safe_to_act_on_whatever_bytes_arrive(int seed)
    {
        Random random = new(seed);
        byte[] bytes = new byte[8];
        int valid = 0;
        for (int i = 0; i < 400_000; i++)
        {
            bool hdgst = random.Next(2) == 0, ddgst = random.Next(2) == 0;
            PduRules rules = Rules((PduReceiver)random.Next(2), hdgst, ddgst, random.Next(2) == 0 ? (byte)0 : (byte)random.Next(32), (ConnectionPhase)random.Next(2));
            PduHeader header;
            if (random.Next(2) == 0)
            {
                random.NextBytes(bytes);
                header = Spindle.Nvme.WireBuffer.Read<PduHeader>(bytes);
            }
            else
            {
                PduType type = (PduType)random.Next(10);
                header = H(type, (PduFlags)random.Next(16), (byte)PduLayout.HeaderLength(type), (byte)(4 * random.Next(40)), (uint)random.Next(6000));
            }
            if (!PduValidator.CheckHeader(header, rules).IsValid)
            {
                continue;
            }
            valid++;
            uint length = PduValidator.DataLength(header, rules);
            int prelude = PduLayout.PreludeLength(header, hdgst);
            Assert.True(header.Plen >= header.Hlen, $"seed {seed}, step {i}");
            Assert.True(length <= MaxData, $"seed {seed}, step {i}");
            if (length > 0 && PduLayout.MayHaveDataDigest(header.PduType))
            {
                Assert.InRange(prelude, header.Hlen + (hdgst ? 4 : 0), PduLayout.MaxDataOffset);
                Assert.Equal(header.Plen, (uint)prelude + length + (ddgst ? 4u : 0));
            }
        }
        Assert.True(valid > 1000, $"only {valid} headers were valid; the generator is off");
    }

    [Fact]
    public void ICReq_fields()
    {
        ICReq req = new() { Maxr2t = uint.MaxValue, Hpda = 31 };
        Expect("largest", PduValidator.CheckICReq(req), Ok, 0);
        req.Hpda = 32;
        Expect("HPDA", PduValidator.CheckICReq(req), Field, 10);
        req.Pfv = 1;
        Expect("PFV", PduValidator.CheckICReq(req), FatalErrorStatus.UnsupportedParameter, 8);
    }

    [Fact]
    public void ICResp_fields()
    {
        ICResp resp = new() { Maxh2cdata = 4096, Dgst = DigestTypes.HeaderDigest };
        Expect("as asked", PduValidator.CheckICResp(resp, DigestTypes.HeaderDigest | DigestTypes.DataDigest), Ok, 0);
        Expect("digest not asked for", PduValidator.CheckICResp(resp, DigestTypes.DataDigest), Field, 11);
        resp.Maxh2cdata = 4092;
        Expect("MAXH2CDATA small", PduValidator.CheckICResp(resp, DigestTypes.HeaderDigest), Field, 12);
        resp.Maxh2cdata = 4098;
        Expect("MAXH2CDATA not dwords", PduValidator.CheckICResp(resp, DigestTypes.HeaderDigest), Field, 12);
        resp.Cpda = 32;
        Expect("CPDA", PduValidator.CheckICResp(resp, DigestTypes.HeaderDigest), Field, 10);
        resp.Pfv = 2;
        Expect("PFV", PduValidator.CheckICResp(resp, DigestTypes.HeaderDigest), FatalErrorStatus.UnsupportedParameter, 8);
    }

    [Theory]
    [InlineData("whole transfer", 0u, 8192u, true, 0u, 8192u, Ok, 0u)]
    [InlineData("first half", 0u, 4096u, false, 0u, 8192u, Ok, 0u)]
    [InlineData("second half", 4096u, 4096u, true, 4096u, 4096u, Ok, 0u)]
    [InlineData("odd end", 4096u, 3u, true, 4096u, 3u, Ok, 0u)]
    [InlineData("odd middle", 0u, 4095u, false, 0u, 8192u, Field, 16u)]
    [InlineData("LAST too early", 0u, 4096u, true, 0u, 8192u, Field, 1u)]
    [InlineData("LAST missing", 4096u, 4096u, false, 4096u, 4096u, Field, 1u)]
    [InlineData("gap", 4096u, 4096u, true, 0u, 8192u, FatalErrorStatus.DataTransferOutOfRange, 0u)]
    [InlineData("again", 0u, 4096u, false, 4096u, 4096u, FatalErrorStatus.DataTransferOutOfRange, 0u)]
    [InlineData("too much", 4096u, 4100u, true, 4096u, 4096u, FatalErrorStatus.DataTransferOutOfRange, 0u)]
    [InlineData("offset at the end of uint", uint.MaxValue - 3, 4096u, true, 0u, 4096u, FatalErrorStatus.DataTransferOutOfRange, 0u)]
    public void H2CData_must_continue_its_R2T(string rule, uint datao, uint datal, bool last, uint expected, uint remaining, FatalErrorStatus fes, uint fei)
    {
        PduRules rules = Rules();
        H2CData pdu = new() { Header = PduLayout.HeaderWithData(PduType.H2CData, last ? Last : 0, false, false, 0, datal), Datao = datao, Datal = datal };
        Expect(rule, PduValidator.CheckH2CData(pdu, expected, remaining, rules), fes, fei);
        pdu.Datal++;
        Expect("DATAL differs from PLEN", PduValidator.CheckH2CData(pdu, expected, remaining, rules), Field, 16);
    }

    private static void Expect(string rule, PduCheck check, FatalErrorStatus fes, uint fei) =>
        Assert.True(check.Fes == fes && check.Fei == fei, $"{rule}: got {check}, expected {fes} at byte {fei}");
}
