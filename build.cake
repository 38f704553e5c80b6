// The targets of ./build.sh. Each one is a few lines here; how it is done lies in build/*.cake.
#load "build/common.cake"
#load "build/solution.cake"
#load "build/testing.cake"
#load "build/layout.cake"

var options = Options.Parse(Environment.GetEnvironmentVariable("SPINDLE_BUILD_ARGUMENTS"));
var root = Paths.GetFullPath(Context.Environment.WorkingDirectory.FullPath);
var solution = new SolutionBuild(root, options);
var exitCode = 0;

Task("build").Does(() => Attempt(() => { options.Allow(); solution.Build(); }));

Task("test").Does(() => Attempt(() =>
{
    options.Allow("filter", "fast", "project", "timeout");
    var tests = new TestRun(root, options);
    solution.Build();
    exitCode = tests.RunAll();
}));

Task("deps").Does(() => Attempt(() =>
{
    options.Allow();
    exitCode = Tool.RunVisibly(root, "bash", "tests/interop/Guest/deps.sh");
}));

Task("pack").Does(() => Attempt(() => { options.Allow(); solution.Build(); solution.Pack(); }));

Task("app").Does(() => Attempt(() =>
{
    options.Allow("app");
    var layout = new AppLayout(root, options.Required("app"));
    solution.Build();
    layout.Create();
}));

// What is wrong with the build is told in a line or two, not by a stack trace of the build tool's.
void Attempt(Action action)
{
    try { action(); }
    catch (BuildFailure failure) { Terminal.Error(failure.Message); exitCode = 1; }
}

// Ending here leaves out the build tool's own table: the last line printed belongs to the target.
Teardown(context =>
{
    if (context.ThrownException is not null) Terminal.Error(context.ThrownException.ToString());
    Console.Out.Flush();
    Environment.Exit(context.Successful ? exitCode : 1);
});

RunTarget(Argument("target", "build"));
