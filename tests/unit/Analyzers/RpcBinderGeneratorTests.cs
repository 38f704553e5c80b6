using System.Runtime.CompilerServices;
using Microsoft.Extensions.DependencyInjection;
using Spindle.Rpc;

namespace Spindle.UnitTests.Analyzers;

public class RpcBinderGeneratorTests
{
    const string Everything = """
        public enum Colour { Red, DarkBlue, [RpcMember("g")] Green }
        [RpcObject] public class Inner { public int A { get; set; } = 5; [RpcMember(Required = true)] public string Name { get; init; } = ""; }
        [RpcObject] public class Base { public bool Flag { get; init; } }
        [RpcObject] public class Everything : Base
        {
            public sbyte S8 { get; init; } public byte U8 { get; init; } public short S16 { get; init; } public ushort U16 { get; init; }
            public int S32 { get; init; } public uint U32 { get; init; } public long S64 { get; init; } public ulong U64 { get; init; }
            public double D { get; init; } public float F { get; init; } public string Text { get; init; } = "default"; public Guid Id { get; init; }
            public Colour Colour { get; init; } = Colour.DarkBlue; public int? Maybe { get; init; } public Colour? MaybeColour { get; init; } public string? MaybeText { get; init; }
            public Inner? Nested { get; init; } public List<Inner> Items { get; init; } = []; public string[] Names { get; set; } = []; public IReadOnlyList<ulong>? Numbers { get; init; }
            public Dictionary<string, List<int?>> Map { get; init; } = []; [RpcMember("other_name")] public int Renamed { get; set; }
            public int Computed => S32 + 1;
        }
        public class Methods { [RpcMethod("echo")] public Everything Echo(Everything e) => e; }
        """;

    [Fact]
    public async Task Every_type_is_read_and_written()
    {
        using var methods = GeneratorHost.Run(Everything);
        const string all = "{\"flag\":true,\"s8\":-128,\"u8\":255,\"s16\":-32768,\"u16\":65535,\"s32\":-2147483648,\"u32\":4294967295,\"s64\":-9223372036854775808,"
            + "\"u64\":18446744073709551615,\"d\":0.1,\"f\":1.5,\"text\":\"é\\\"\",\"id\":\"3f2504e0-4f89-11d3-9a0c-0305e82c3301\",\"colour\":\"g\",\"maybe\":7,"
            + "\"maybe_colour\":\"dark_blue\",\"maybe_text\":\"t\",\"nested\":{\"a\":1,\"name\":\"n\"},\"items\":[{\"a\":5,\"name\":\"i\"}],\"names\":[\"x\",\"y\"],"
            + "\"numbers\":[1,2],\"map\":{\"k\":[1,null]},\"other_name\":3";
        Assert.Equal(all + ",\"computed\":-2147483647}", await methods.CallAsync("echo", all + "}"));
    }

    [Fact]
    public async Task Members_left_out_keep_their_defaults_and_null_ones_are_not_written()
    {
        using var methods = GeneratorHost.Run(Everything);
        const string defaults = "{\"flag\":false,\"s8\":0,\"u8\":0,\"s16\":0,\"u16\":0,\"s32\":0,\"u32\":0,\"s64\":0,\"u64\":0,\"d\":0,\"f\":0,\"text\":\"default\","
            + "\"id\":\"00000000-0000-0000-0000-000000000000\",\"colour\":\"dark_blue\",\"items\":[],\"names\":[],\"map\":{},\"other_name\":0,\"computed\":1}";
        Assert.Equal(defaults, await methods.CallAsync("echo"));
        Assert.Equal(defaults, await methods.CallAsync("echo", "{}"));
        Assert.Equal(defaults, await methods.CallAsync("echo", "{\"maybe\":null,\"maybe_colour\":null,\"maybe_text\":null,\"nested\":null,\"numbers\":null}"));
    }

    [Theory]
    [InlineData("{\"u8\":256}", "params.u8 is too large; it takes integers from 0 to 255")]
    [InlineData("{\"s8\":-129}", "params.s8 is out of range")]
    [InlineData("{\"u32\":-1}", "params.u32 must not be negative")]
    [InlineData("{\"s32\":1.5}", "params.s32 must be an integer")]
    [InlineData("{\"text\":5}", "params.text must be a string, not a number")]
    [InlineData("{\"text\":null}", "params.text must be a string, not null")]
    [InlineData("{\"flag\":\"true\"}", "params.flag must be true or false")]
    [InlineData("{\"colour\":\"blue\"}", "params.colour must be one of: red, dark_blue, g")]
    [InlineData("{\"colour\":\"Red\"}", "params.colour must be one of")]
    [InlineData("{\"id\":\"3f2504e04f8911d39a0c0305e82c3301\"}", "params.id must be a UUID")]
    [InlineData("{\"nested\":{}}", "params.nested.name is missing")]
    [InlineData("{\"items\":[{\"name\":\"a\"},{\"name\":\"b\",\"a\":\"x\"}]}", "params.items[1].a must be a number")]
    [InlineData("{\"items\":{}}", "params.items must be an array")]
    [InlineData("{\"names\":[1]}", "params.names[0] must be a string")]
    [InlineData("{\"map\":{\"k\":[true]}}", "params.map.k[0] must be a number")]
    [InlineData("{\"computed\":1}", "params.computed is not known")]
    [InlineData("{\"Text\":\"x\"}", "params.Text is not known")]
    [InlineData("{\"u8\":1,\"u8\":1}", "params.u8 is there twice")]
    [InlineData("[1]", "params must be an object")]
    [InlineData("5", "params must be an object")]
    public async Task What_does_not_decode_is_named(string parameters, string words)
    {
        using var methods = GeneratorHost.Run(Everything);
        var error = await methods.FailAsync("echo", parameters);
        Assert.Equal(-32603, error.Code);
        Assert.StartsWith("spdk_json_decode_object failed: ", error.Message);
        Assert.Contains(words, error.Message);
    }

    [Fact]
    public async Task Signatures_of_all_kinds_are_bound()
    {
        using var methods = GeneratorHost.Run("""
            [RpcObject] public class P { public required string Name { get; init; } public string Other { get; set; } = "o"; }
            [RpcObject] public record R(string Name, int? Count);
            public class Raw : IRpcResult { public void Write(IRpcWriter w) { w.BeginArray(); w.Number(1L); w.EndArray(); } }
            public class Methods
            {
                [RpcMethod("void_none")] public void A() { }
                [RpcMethod("task_params")] public async Task B(P p) { await Task.Yield(); }
                [RpcMethod("valuetask_both")] public async ValueTask<string> C(P p, CancellationToken ct) { await Task.Yield(); return p.Name + p.Other + ct.CanBeCanceled; }
                [RpcMethod("token")] public int D(CancellationToken ct) => 4;
                [RpcMethod("record")] public R E() => new("n", null);
                [RpcMethod("null_record")] public Task<R?> F() => Task.FromResult<R?>(null);
                [RpcMethod("list")] public Task<IReadOnlyList<R>> G() => Task.FromResult<IReadOnlyList<R>>([new("a", 1)]);
                [RpcMethod("raw")] public IRpcResult H() => new Raw();
                [RpcMethod("raws")] public List<Raw> I() => [new Raw(), new Raw()];
                [RpcMethod("maybe")] public int? J() => null;
            }
            """);
        Assert.Equal("true", await methods.CallAsync("void_none"));
        Assert.Equal("true", await methods.CallAsync("task_params", "{\"name\":\"x\"}"));
        Assert.Equal("\"xoFalse\"", await methods.CallAsync("valuetask_both", "{\"name\":\"x\"}"));
        Assert.Contains("params.name is missing", (await methods.FailAsync("task_params")).Message);
        Assert.Equal("4", await methods.CallAsync("token"));
        Assert.Equal("{\"name\":\"n\"}", await methods.CallAsync("record"));
        Assert.Equal("null", await methods.CallAsync("null_record"));
        Assert.Equal("[{\"name\":\"a\",\"count\":1}]", await methods.CallAsync("list"));
        Assert.Equal("[1]", await methods.CallAsync("raw"));
        Assert.Equal("[[1],[1]]", await methods.CallAsync("raws"));
        Assert.Equal("null", await methods.CallAsync("maybe"));
    }

    [Fact]
    public async Task Declarations_reach_the_handler()
    {
        using var methods = GeneratorHost.Run("""
            [RpcObject] public class P { [RpcMember(Required = true, Summary = "Its \"name\".")] public string Name { get; init; } = ""; public List<int> Sizes { get; init; } = []; }
            public class Methods
            {
                [RpcMethod("m", Phase = RpcPhase.Any, Summary = "Does it.", ParameterErrorCode = -32602, ParameterErrorText = "Invalid parameters", DeprecatedAliases = ["old_m"])]
                public List<string> M(P p) => [];
                [RpcMethod("none")] public void None() { }
                [RpcMethod("none2", ParameterErrorText = "No parameters required")] public void None2() { }
            }
            """);
        var m = methods.Methods["m"];
        Assert.Equal((RpcPhase.Any, "Does it.", "array of string", "old_m"), (m.Phase, m.Summary, m.ResultType, Assert.Single(m.DeprecatedAliases)));
        Assert.Equal([("name", "string", true, "Its \"name\"."), ("sizes", "array of number", false, "")], m.Parameters.Select(p => (p.Name, p.Type, p.Required, p.Summary)));
        Assert.Equal(RpcPhase.Runtime, methods.Methods["none"].Phase);
        var error = await methods.FailAsync("m", "{\"x\":1}");
        Assert.Equal(-32602, error.Code);
        Assert.StartsWith("Invalid parameters: params.x is not known; it takes: name, sizes", error.Message);
        error = await methods.FailAsync("none", "{}");
        Assert.Equal((-32602, "none method requires no parameters"), (error.Code, error.Message));
        Assert.Equal("No parameters required", (await methods.FailAsync("none2", "{\"a\":1}")).Message);
        Assert.Equal("true", await methods.CallAsync("none", "null"));
    }

    [Fact]
    public void Defaults_ranges_choices_members_and_errors_reach_the_handler()
    {
        using var methods = GeneratorHost.Run("""
            public enum Kind { [RpcMember("none")] Nothing, VeryFast }
            [RpcObject] public class Inner { /// <summary>Where, as <see cref="Kind"/> says.</summary>
                public string Place { get; set; } = "there"; public byte Level { get; set; } = 7; }
            [RpcObject] public class P
            {
                [RpcMember(Required = true)] public uint Must { get; set; }
                public ulong Limit { get; init; } = 1UL << 40;
                public long Signed { get; init; } = -5;
                public bool Flag { get; init; } = true;
                public Kind Kind { get; init; } = Kind.VeryFast;
                public Kind? Other { get; init; }
                public string? Text { get; init; }
                public List<Inner> Inner { get; init; } = [];
                public P? Again { get; init; }
            }
            [RpcObject] public class R { public Inner? Inner => null; public int[] Sizes => []; }
            public class Methods
            {
                /// <summary>x</summary>
                /// <exception cref="RpcException">No such device (-19): there is none;
                /// see <c>list</c>.</exception>
                /// <exception cref="InvalidOperationException">Not told.</exception>
                /// <exception cref="RpcException">Second.</exception>
                [RpcMethod("m")] public R M(P p) => new();
            }
            """);
        var m = methods.Methods["m"];
        var told = m.Parameters.ToDictionary(p => p.Name);
        Assert.Equal([("must", null), ("limit", "1099511627776"), ("signed", "-5"), ("flag", "true"), ("kind", "\"very_fast\""), ("other", null), ("text", null), ("inner", null), ("again", null)],
            m.Parameters.Select(p => (p.Name, p.Default)));
        Assert.Equal((0L, (long)uint.MaxValue), (told["must"].Minimum, told["must"].Maximum));
        Assert.Equal((null, null), (told["limit"].Minimum, told["limit"].Maximum));
        Assert.Equal(["none", "very_fast"], told["other"].Values);
        Assert.Equal([("place", "\"there\"", "Where, as Kind says."), ("level", "7", "")], told["inner"].Members.Select(p => (p.Name, p.Default, p.Summary)));
        Assert.Empty(told["again"].Members);
        Assert.Equal(["inner", "sizes"], m.ResultMembers.Select(p => p.Name));
        Assert.Equal(["place", "level"], m.ResultMembers[0].Members.Select(p => p.Name));
        Assert.Equal(["No such device (-19): there is none; see list.", "Second."], m.Errors);
    }

    [Fact]
    public async Task A_class_is_made_once_from_the_services()
    {
        var services = new ServiceCollection().AddSingleton("from services").BuildServiceProvider();
        using var methods = GeneratorHost.Run("""
            public class Methods(string text)
            {
                int _calls;
                [RpcMethod("a")] public string A() => text + ++_calls;
                [RpcMethod("b")] public string B() => text + ++_calls;
            }
            """, services);
        Assert.Equal("\"from services1\"", await methods.CallAsync("a"));
        Assert.Equal("\"from services2\"", await methods.CallAsync("b"));
    }

    [Fact]
    public async Task Nothing_keeps_the_code_alive()
    {
        var reference = await CallAndUnloadAsync();
        for (var i = 0; i < 20 && reference.IsAlive; i++)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }
        Assert.False(reference.IsAlive);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    static async Task<WeakReference> CallAndUnloadAsync()
    {
        var methods = GeneratorHost.Run(Everything);
        await methods.CallAsync("echo", "{\"items\":[{\"name\":\"a\"}],\"colour\":\"red\"}");
        await methods.FailAsync("echo", "{\"x\":1}");
        return methods.Unload();
    }

    [Theory]
    [InlineData("public class M { [RpcMethod(\"m\")] public static void X() { } }", "SPDL001")]
    [InlineData("public class M { [RpcMethod(\"m\")] public void X<T>() { } }", "SPDL001")]
    [InlineData("public class M { [RpcMethod(\"m\")] private void X() { } }", "SPDL001")]
    [InlineData("public class M { [RpcMethod(\"m\")] public void X(string s) { } }", "SPDL002")]
    [InlineData("public class M { [RpcMethod(\"m\")] public void X(P a, P b) { } }", "SPDL002")]
    [InlineData("public class M { [RpcMethod(\"m\")] public void X(CancellationToken c, P p) { } }", "SPDL002")]
    [InlineData("public class M { [RpcMethod(\"m\")] public void X(ref P p) { } }", "SPDL002")]
    [InlineData("public class M { [RpcMethod(\"m\")] public object X() => 1; }", "SPDL003")]
    [InlineData("public class M { [RpcMethod(\"m\")] public Task<List<DateTime>> X() => null!; }", "SPDL003")]
    [InlineData("[RpcObject] public class Q { public DateTime T { get; set; } } public class M { [RpcMethod(\"m\")] public void X(Q q) { } }", "SPDL003")]
    [InlineData("public class M { [RpcMethod(\"m\")] public void X() { } [RpcMethod(\"m\")] public void Y() { } }", "SPDL004")]
    [InlineData("[RpcObject] public class Q { public int A { get; set; } [RpcMember(\"a\")] public int B { get; set; } } public class M { [RpcMethod(\"m\")] public void X(Q q) { } }", "SPDL005")]
    [InlineData("public enum E { A, [RpcMember(\"a\")] B } [RpcObject] public class Q { public E E { get; set; } } public class M { [RpcMethod(\"m\")] public void X(Q q) { } }", "SPDL005")]
    [InlineData("public abstract class M { [RpcMethod(\"m\")] public void X() { } }", "SPDL006")]
    [InlineData("public class M<T> { [RpcMethod(\"m\")] public void X() { } }", "SPDL006")]
    [InlineData("public class M { private M() { } [RpcMethod(\"m\")] public void X() { } }", "SPDL006")]
    [InlineData("public class O { private class M { [RpcMethod(\"m\")] public void X() { } } }", "SPDL006")]
    [InlineData("[RpcObject] public class Q { public Q(int a) { } } public class M { [RpcMethod(\"m\")] public void X(Q q) { } }", "SPDL007")]
    [InlineData("[RpcObject] public abstract class Q { } public class M { [RpcMethod(\"m\")] public void X(Q q) { } }", "SPDL007")]
    [InlineData("[RpcObject] public class Q { public int A { get; private set; } } public class M { [RpcMethod(\"m\")] public void X(Q q) { } }", "SPDL008")]
    [InlineData("[RpcObject] public class Q { [RpcMember(Required = true)] public int A { get; } } public class M { [RpcMethod(\"m\")] public void X(Q q) { } }", "SPDL008")]
    [InlineData("public class M { [RpcMethod(\"m\")] public async void X() { await Task.Yield(); } }", "SPDL009")]
    [InlineData("public class M { [RpcMethod(\"\")] public void X() { } }", "SPDL010")]
    [InlineData("public class M { [RpcMethod(\"a b\")] public void X() { } }", "SPDL010")]
    public void Wrong_declarations_are_errors(string source, string id) => Assert.Equal([id], GeneratorHost.Ids("[RpcObject] public class P { }\n" + source));

    [Fact]
    public void Types_that_contain_themselves_are_bound()
    {
        using var methods = GeneratorHost.Run("[RpcObject] public class Tree { public List<Tree> Children { get; init; } = []; } public class M { [RpcMethod(\"m\")] public Tree X(Tree t) => t; }");
        Assert.Single(methods.Methods);
    }

    [Fact]
    public void Without_methods_nothing_is_generated() => Assert.Single(GeneratorHost.Generate("public class A { }").Output.SyntaxTrees);

    [Theory]
    [InlineData("NumBlocks", "num_blocks")]
    [InlineData("IOUnitSize", "io_unit_size")]
    [InlineData("Name", "name")]
    [InlineData("Uuid", "uuid")]
    [InlineData("MaxIo", "max_io")]
    [InlineData("Md5Sum", "md5_sum")]
    [InlineData("already_snake", "already_snake")]
    public async Task Names_become_snake_case(string property, string wire)
    {
        using var methods = GeneratorHost.Run($"[RpcObject] public class R {{ public int {property} {{ get; set; }} = 1; }} public class M {{ [RpcMethod(\"m\")] public R X() => new(); }}");
        Assert.Equal($"{{\"{wire}\":1}}", await methods.CallAsync("m"));
    }
}
