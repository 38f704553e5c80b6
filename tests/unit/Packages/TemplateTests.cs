namespace Spindle.UnitTests.Packages;

/// <summary>What the templates make that the quick start does not use, made, built and tested as an outsider would, from packages.</summary>
[Trait("Category", "Slow")]
public sealed class TemplateTests(Outsider outsider)
{
    [Theory]
    [InlineData("spindle-vbdev", "Acme.Count", "acme-count")]
    [InlineData("spindle-frontend", "Acme.Serve", "acme-serve")]
    public async Task What_it_makes_passes_its_tests_and_is_a_module_that_a_host_takes(string template, string project, string module)
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "the commands are for a Unix shell");
        string feed = await outsider.FeedAsync(), folder = outsider.NewFolder(template);
        string output = await outsider.RunAsync(folder, $"""
            set -e
            dotnet new install {feed}/Spindle.Templates.*.nupkg
            dotnet new {template} -n {project} --feed {feed}
            cd {project}
            dotnet run --project tests
            dotnet pack src --nologo -v q -o out
            spindle module install out/{project}.1.0.0.nupkg
            spindle module verify {module}
            """, TimeSpan.FromMinutes(4));
        Assert.Contains("Failed: 0", output);
        Assert.Contains($"{module} 1.0.0 is installed", output);
        Assert.Contains($"{module} 1.0.0: ok", output);
    }
}
