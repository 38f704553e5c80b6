using Newtonsoft.Json;
using Newtonsoft.Json.Linq;

namespace Spindle.PluginTests.Documentation;

/// <summary>Every method is documented by its declaration, and the pages made of the declarations are those of now.</summary>
public sealed class RpcDocumentationTests(RpcDeclarations declarations) : IClassFixture<RpcDeclarations>
{
    [Fact]
    public void Every_method_and_parameter_says_what_it_is()
    {
        Assert.Empty(declarations.Methods.Where(method => ((string)method["description"]!).Length < 10).Select(method => (string)method["name"]!));
        Assert.Empty(declarations.Methods.SelectMany(method => Undescribed((JArray)method["params"]!, (string)method["name"]!)));
    }

    private static IEnumerable<string> Undescribed(JArray members, string path) => members.SelectMany(member =>
        Undescribed((JArray?)member["members"] ?? [], $"{path}.{member["name"]}").Concat(string.IsNullOrEmpty((string?)member["description"]) ? [$"{path}.{member["name"]}"] : []));

    [Fact]
    public void Parameters_have_their_defaults_ranges_and_choices()
    {
        var malloc = Assert.Single(declarations.Methods, method => (string)method["name"]! == "bdev_malloc_create");
        JToken Parameter(string name) => malloc["params"]!.Single(parameter => (string)parameter["name"]! == name);
        Assert.Equal("bdev-malloc", (string)malloc["module"]!);
        Assert.Equal((true, null), ((bool?)Parameter("num_blocks")["required"], (JToken?)Parameter("num_blocks")["default"]));
        Assert.Equal(-1, (int)Parameter("numa_id")["default"]!);
        Assert.False((bool)Parameter("md_interleave")["default"]!);
        Assert.Equal((0L, 4294967295L), ((long)Parameter("block_size")["minimum"]!, (long)Parameter("block_size")["maximum"]!));
        var listener = declarations.Methods.Single(method => (string)method["name"]! == "nvmf_subsystem_add_listener");
        var address = listener["params"]!.Single(parameter => (string)parameter["name"]! == "listen_address");
        Assert.Contains(address["members"]!, member => (string)member["name"]! == "traddr" && (bool?)member["required"] == true);
        Assert.Contains(declarations.Methods, method => method["errors"] is JArray { Count: > 0 });
    }

    [Fact]
    public void Parameters_have_SPDKs_names_types_and_requiredness_but_for_the_known_exceptions()
    {
        string[] differences = [.. declarations.Methods.Where(method => RpcCoverage.Peer[(string)method["name"]!] is not null)
            .SelectMany(method => RpcCoverage.Differences((JObject)RpcCoverage.Peer[(string)method["name"]!]!, method).Where(difference => !difference.StartsWith("more: ", StringComparison.Ordinal))
                .Select(difference => $"{method["name"]}: {difference}")).Order(StringComparer.Ordinal)];
        Assert.Equal(s_knownDifferences, differences);
    }

    private static readonly string[] s_knownDifferences =
    [
        "accel_crypto_key_create: `key` may be left out", // it may come from a file
        "nvmf_create_transport: without `masked_fuses`",
        "nvmf_create_transport: without `masked_oncs`",
        "nvmf_set_config: `admin_cmd_passthru` is of type object, not array", // as SPDK reads it; its schema says array
    ];

    [Fact]
    public void No_reason_for_a_missing_method_is_left_over() => Assert.Empty(RpcCoverage.IdleReasons(declarations.Methods));

    [Theory]
    [InlineData("rpc.md")]
    [InlineData("rpc-coverage.md")]
    [InlineData("rpc.schema.json")]
    public void The_page_is_that_of_the_declarations(string page)
    {
        string path = Path.Combine(RpcDeclarations.Root, "docs", page);
        string wanted = page switch
        {
            "rpc.md" => RpcPage.Of(declarations.Methods),
            "rpc-coverage.md" => RpcCoverage.Of(declarations.Methods),
            _ => declarations.Schema.ToString(Formatting.Indented) + "\n",
        };
        if (Environment.GetEnvironmentVariable("SPINDLE_ACCEPT_DOCS") == "1") File.WriteAllText(path, wanted);
        string present = File.Exists(path) ? File.ReadAllText(path) : "";
        Assert.True(wanted == present, $"docs/{page} is not what the declarations say now; {RpcPage.Accept} writes it. {FirstDifference(wanted, present)}");
    }

    private static string FirstDifference(string wanted, string present)
    {
        string[] a = wanted.Split('\n'), b = present.Split('\n');
        int line = Enumerable.Range(0, Math.Min(a.Length, b.Length)).FirstOrDefault(i => a[i] != b[i], Math.Min(a.Length, b.Length));
        return $"Line {line + 1}: '{a.ElementAtOrDefault(line)}' for '{b.ElementAtOrDefault(line)}'.";
    }
}
