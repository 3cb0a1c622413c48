"""`gradc train` and `gradc predict`: what they write, say and refuse, from a file to fitted parameters."""

from __future__ import annotations

import csv
import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from gradc.__main__ import main

EXAMPLES = Path(__file__).parents[1] / "examples"
MODELS = Path(__file__).parent / "models"
MODEL = EXAMPLES / "thermometer" / "thermometer.model"
DATA = MODEL.with_suffix(".csv")
PUBLISHED = "39.538250 18.696901 12.456582 10.581183 10.017575 9.848182 9.797276 9.781981 9.777378 9.776002"


def train(folder: Path, *more: str, model: Path = MODEL, data: Path = DATA) -> int:
    return main(["train", str(model), "--data", str(data), "--out", str(folder), "--no-plots", *more])


def metrics(folder: Path) -> list[dict[str, float]]:
    with (folder / "metrics.jsonl").open() as file:
        return [json.loads(line) for line in file]


def losses(folder: Path) -> list[float]:
    return [line["loss"] for line in metrics(folder)]


def files(folder: Path) -> dict[str, bytes]:
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


@pytest.mark.parametrize(
    ("dtype", "printed", "near"),
    [("float32", "w = 17.9473\nb = 32.9443\n", 2e-5), ("float64", "w = 17.9474\nb = 32.9442\n", 3e-5)],
)
def test_the_thermometer(
    dtype: str, printed: str, near: float, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(tmp_path / "fitted", "--epochs", "1000", "--lr", "1e-2", "--dtype", dtype) == 0
    told = capsys.readouterr()
    assert told.out == printed
    lines = [line for line in told.err.splitlines() if line.startswith("epoch")]
    assert [int(line.split()[1]) for line in lines] == list(range(100, 1001, 100))
    expected = [float(word) for word in PUBLISHED.split()]
    assert [float(line.split()[3]) for line in lines] == pytest.approx(expected, abs=near)
    assert losses(tmp_path / "fitted")[99::100] == pytest.approx(expected, abs=near)
    run = json.loads((tmp_path / "fitted" / "run.json").read_text())
    assert (run["status"], run["epochs"], run["lr"], run["seed"]) == ("done", 1000, 0.01, 0)
    assert list(files(tmp_path / "fitted")) == [
        "checkpoints/before.checkpoint",
        "checkpoints/last.checkpoint",
        "metrics.jsonl",
        "parameters.npz",
        "run.json",
        "thermometer.py",
    ]


def test_the_thermometer_the_other_way_round(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = np.loadtxt(DATA, delimiter=",", skiprows=1)
    data = tmp_path / "swapped.csv"
    lines = "".join(f"{a!r},{b!r}\n" for a, b in zip(*(table[:, ::-1] * (0.1, 10)).round(6).T.tolist(), strict=True))
    data.write_text("unknown,celsius\n" + lines)
    more = ("--map", "t_u=unknown", "--map", "t_c=celsius", "--epochs", "5000", "--lr", "1e-2")
    assert train(tmp_path / "fitted", *more, data=data) == 0
    assert capsys.readouterr().out.startswith("w = 5.3670")
    with np.load(tmp_path / "fitted" / "parameters.npz") as found:
        assert float(found["w"]) == pytest.approx(5.3671, abs=5e-5)
        assert float(found["b"]) == pytest.approx(-17.3012, abs=5e-5)
    assert losses(tmp_path / "fitted")[-1] == pytest.approx(2.927648, abs=2e-5)


def test_one_step(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert train(tmp_path / "fitted", "--epochs", "1", "--lr", "1e-5", "--json") == 0
    parameters = json.loads(capsys.readouterr().out)["result"]["parameters"]
    assert [round(parameters[name], 4) for name in ("w", "b")] == [1.0013, 0.0010]


def test_equal_runs_leave_equal_bytes(tmp_path: Path) -> None:
    more = ("--epochs", "5", "--batch", "4", "--lr", "1e-3", "--momentum", "0.9", "--nesterov")
    assert train(tmp_path / "a", *more) == 0
    assert train(tmp_path / "b", *more) == 0
    assert files(tmp_path / "a") == files(tmp_path / "b")
    assert train(tmp_path / "c", *more, "--seed", "1") == 0
    assert losses(tmp_path / "c") != losses(tmp_path / "a")


def test_predicting(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "fitted"
    assert train(folder, "--epochs", "1000", "--lr", "1e-2") == 0
    new = tmp_path / "new.csv"
    new.write_text("t_u\n0\n1\n")
    capsys.readouterr()
    assert main(["predict", str(folder), "--data", str(new)]) == 0
    head, *rows = capsys.readouterr().out.splitlines()
    assert head == "t_p"
    assert [float(row) for row in rows] == pytest.approx([32.9443, 50.8916], abs=1e-3)
    assert main(["predict", str(folder), "--data", str(new), "--json"]) == 0
    result = json.loads(capsys.readouterr().out)["result"]
    assert result["values"]["t_p"] == [float(row) for row in rows]
    assert main(["predict", str(folder), "--data", str(new), "-o", str(tmp_path / "o.csv")]) == 0
    assert (tmp_path / "o.csv").read_text().splitlines() == [head, *rows]
    assert main(["predict", str(folder), "--data", str(new), "-o", str(tmp_path / "o.npz")]) == 0
    with np.load(tmp_path / "o.npz") as found:
        assert found["t_p"].tolist() == [float(row) for row in rows]
    assert main(["predict", str(folder), "--data", str(new), "-o", str(tmp_path / "o.txt")]) == 2


def test_columns_that_make_up_an_input(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = EXAMPLES / "logistic"
    columns = ("--map", "x=income,debt,age,savings")
    more = ("--epochs", "100", "--lr", "1", *columns, "--map", "y=repaid")
    assert train(tmp_path / "f", *more, model=folder / "logistic.model", data=folder / "loans.csv") == 0
    capsys.readouterr()
    assert main(["predict", str(tmp_path / "f"), "--data", str(folder / "loans.csv")]) == 0
    first = capsys.readouterr().out
    assert main(["predict", str(tmp_path / "f"), "--data", str(folder / "loans.csv"), *columns]) == 0
    assert capsys.readouterr().out == first
    assert len(first.splitlines()) == 601


def test_outputs_with_more_axes_have_a_column_for_each_position(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = EXAMPLES / "digits"
    more = ("--epochs", "3", "--batch", "50", "--lr", "0.1", "--momentum", "0.9")
    assert train(tmp_path / "f", *more, model=folder / "digits.model", data=folder / "train.npz") == 0
    capsys.readouterr()
    assert main(["predict", str(tmp_path / "f"), "--data", str(folder / "test.npz")]) == 0
    rows = list(csv.DictReader(capsys.readouterr().out.splitlines()))
    assert list(rows[0]) == [*(f"logits.{i}" for i in range(10)), "prediction"]
    with np.load(folder / "test.npz") as test:
        right = np.mean([int(row["prediction"]) for row in rows] == test["label"])
    assert right > 0.9


def test_parameters_from_a_file_stay_where_they_are_not_trained(tmp_path: Path) -> None:
    folder = EXAMPLES / "transfer"
    more = ("--epochs", "1", "--batch", "50", "--lr", "0.1", "--from", str(folder / "body.npz"))
    assert train(tmp_path / "f", *more, model=folder / "transfer.model", data=folder / "train.npz") == 0
    with np.load(folder / "body.npz") as given, np.load(tmp_path / "f" / "parameters.npz") as found:
        for name in given.files:
            assert np.array_equal(given[name], found[name])


def test_parameters_that_the_model_does_not_have(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.savez(tmp_path / "start.npz", ww=1.0)
    assert train(tmp_path / "f", "--from", str(tmp_path / "start.npz")) == 1
    assert "no such parameter" in capsys.readouterr().err
    np.savez(tmp_path / "start.npz", w=[1.0, 2.0])
    assert train(tmp_path / "f", "--from", str(tmp_path / "start.npz")) == 1
    assert "shape (2,)" in capsys.readouterr().err
    assert not (tmp_path / "f" / "run.json").exists()


def test_divergence_is_status_1_and_saves_the_last_good_state(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(tmp_path / "f", "--epochs", "5000", "--lr", "10", "--json") == 1
    document = json.loads(capsys.readouterr().out)
    error, origin = document["errors"]
    assert error["code"] == "diverged"
    assert (origin["code"], origin["file"]) == ("E0601", "thermometer.model")
    assert error["details"]["step"] > 1
    assert document["result"]["status"] == "diverged"
    with np.load(tmp_path / "f" / "parameters.npz") as found:
        assert all(np.isfinite(found[name]).all() for name in found.files)
    assert json.loads((tmp_path / "f" / "run.json").read_text())["status"] == "diverged"


@pytest.mark.skipif(sys.platform == "win32", reason="SIGINT cannot be sent to one process there")
def test_an_interrupt_saves_and_is_status_130(tmp_path: Path) -> None:
    words = ["train", str(MODEL), "--data", str(DATA), "--out", str(tmp_path / "f"), "--epochs", "100000000"]
    process = subprocess.Popen(
        [sys.executable, "-m", "gradc", *words, "--lr", "1e-3"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    process.stderr.readline()  # said when the training begins
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted after epoch" in err
    assert "Traceback" not in err
    assert out.startswith("w = ")
    assert json.loads((tmp_path / "f" / "run.json").read_text())["status"] == "interrupted"
    assert (tmp_path / "f" / "parameters.npz").exists()


@pytest.mark.parametrize(
    ("text", "more", "said"),
    [
        ("t_u,t_x\n1,2\n", [], "there is no column 't_c'"),
        ("t_u,t_c\n1,2\n3,x\n", [], "3"),
        ("t_u,t_c\n1,2\n3\n", [], "3"),
        ("t_u,t_c\n1,2\n3,nan\n", [], "t_c"),
        ("t_u,t_c\n", [], "row"),
        ("", [], "empty"),
        ("t_u,t_u,t_c\n1,1,2\n", [], "t_u"),
        ("t_u,t_c\n1,2\n", ["--map", "t_v=t_u"], "did you mean t_u?"),
        ("t_u,t_c\n1,2\n", ["--map", "t_c=celsius"], "celsius"),
    ],
)
def test_mistakes_in_the_data(
    text: str, more: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "d.csv"
    data.write_text(text)
    assert train(tmp_path / "f", *more, data=data) == 1
    told = capsys.readouterr()
    assert said in told.err
    assert "bug" not in told.err
    assert not (tmp_path / "f" / "run.json").exists()
    assert train(tmp_path / "f", *more, "--json", data=data) == 1
    assert json.loads(capsys.readouterr().out)["errors"][0]["code"] == "data"


def test_files_are_taken_together(tmp_path: Path) -> None:
    table = np.loadtxt(DATA, delimiter=",", skiprows=1)
    np.savez(tmp_path / "u.npz", t_u=table[:, 0])
    np.save(tmp_path / "t_c.npy", table[:, 1])
    more = ("--epochs", "3", "--lr", "1e-2")
    assert train(tmp_path / "a", *more, "--data", str(tmp_path / "t_c.npy"), data=tmp_path / "u.npz") == 0
    assert train(tmp_path / "b", *more) == 0
    assert losses(tmp_path / "a") == losses(tmp_path / "b")


def test_a_wrong_option_is_usage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert train(tmp_path / "f", "--nesterov") == 2
    assert train(tmp_path / "f", "--epochs", "0") == 2
    assert train(tmp_path / "f", "--lr", "nan") == 2
    assert not (tmp_path / "f").exists()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--optimizer", "adam:lr=0.3,betas=0.8,0.9,amsgrad"], {"lr": 0.3, "betas": [0.8, 0.9], "amsgrad": True}),
        (["--optimizer", "SGD:momentum=0.9,nesterov=true", "--lr", "1e-2"], {"momentum": 0.9, "nesterov": True}),
        (["--optimizer", "rmsprop", "--momentum", "0.5"], {"lr": 1e-2, "alpha": 0.99, "momentum": 0.5}),
        (["--optimizer", "adamw", "--weight-decay", "0.5"], {"lr": 1e-3, "weight_decay": 0.5}),
        (["--optimizer", "lbfgs:line_search_fn=strong_wolfe,max_iter=5"], {"line_search_fn": "strong_wolfe"}),
    ],
)
def test_an_optimiser_by_its_name(words: list[str], expected: dict[str, object], tmp_path: Path) -> None:
    assert train(tmp_path / "f", "--epochs", "20", *words) == 0
    run = json.loads((tmp_path / "f" / "run.json").read_text())
    assert run["optimizer"].lower() == words[1].partition(":")[0].lower()
    assert {key: run["optimizer_options"][key] for key in expected} == expected
    assert run["momentum"] == run["optimizer_options"].get("momentum")
    found = losses(tmp_path / "f")
    assert found[-1] < found[0]


def test_a_training_is_that_of_the_runtime(tmp_path: Path) -> None:
    import gradc

    words = "--batch 3 --accumulate 2 --clip-norm 20 --clip-value 15 --schedule linear:total_iters=3 --schedule"
    more = [*words.split(), "cosine:T_max=5,at=3", "--optimizer", "adam:betas=0.5,0.9", "--lr", "0.5", "--epochs", "8"]
    assert train(tmp_path / "f", *more) == 0
    table = np.loadtxt(DATA, delimiter=",", skiprows=1)
    session = gradc.Session(gradc.compile(MODEL).module, {"t_u": table[:, 0], "t_c": table[:, 1]})
    optimizer = gradc.Adam(session, lr=0.5, betas=(0.5, 0.9))
    schedule = gradc.lr_scheduler.SequentialLR(
        optimizer,
        [gradc.lr_scheduler.LinearLR(optimizer, total_iters=3), gradc.lr_scheduler.CosineAnnealingLR(optimizer, 5)],
        [3],
    )
    found = gradc.fit(
        session, optimizer, epochs=8, batch=3, accumulate=2, schedule=schedule, clip_norm=20, clip_value=15
    )
    assert losses(tmp_path / "f") == found.losses.tolist()
    run = json.loads((tmp_path / "f" / "run.json").read_text())
    assert run["schedule"] == [
        {"name": "LinearLR", "total_iters": 3},
        {"name": "CosineAnnealingLR", "T_max": 5, "at": 3},
    ]
    assert (run["clip_norm"], run["clip_value"], run["accumulate"]) == (20, 15, 2)


@pytest.mark.parametrize(
    "words",
    [
        "step:step_size=3,gamma=0.5",
        "multistep:milestones=2,4",
        "constant",
        "exponential:gamma=0.9",
        "polynomial:total_iters=5,power=2",
        "cosine",
        "CosineAnnealingWarmRestarts:T_0=2",
        "cyclic:base_lr=0.001,max_lr=0.01,step_size_up=2,cycle_momentum=false",
        "onecycle:max_lr=0.01",
        "plateau:patience=0",
        "exponential:gamma=0.9 constant:factor=0.5",
    ],
)
def test_schedules_by_their_names(words: str, tmp_path: Path) -> None:
    more = [word for schedule in words.split() for word in ("--schedule", schedule)]
    assert train(tmp_path / "f", "--epochs", "6", "--lr", "1e-2", *more) == 0
    assert len(losses(tmp_path / "f")) == 6


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--optimizer adm", "there is no optimiser 'adm'. did you mean adam? there are sgd, asgd, adadelta"),
        ("--optimizer adam:beta=0.9", "Adam has no option 'beta'. did you mean betas? Adam has lr, betas, eps"),
        ("--optimizer adam:betas=0.9", "betas of Adam should be two numbers, as 0.9,0.99, and is '0.9'"),
        ("--optimizer adam:betas=0.9,1", "Adam: betas must be from 0 to below 1"),
        ("--optimizer adam:eps=small", "eps of Adam should be a number, and is 'small'"),
        ("--optimizer adam:eps", "eps of Adam should be a number"),
        ("--optimizer adam:amsgrad=maybe", "amsgrad of Adam should be true or false"),
        ("--optimizer adam --nesterov", "Adam has no nesterov, and --nesterov was given. Adam has lr"),
        ("--optimizer adagrad --momentum 0.5", "Adagrad has no momentum, and --momentum was given"),
        ("--optimizer adam:lr=1 --lr 2", "lr is given twice"),
        ("--optimizer adam:eps=1,eps=2", "Adam is given eps twice"),
        ("--optimizer lbfgs:line_search_fn=wolfe", "LBFGS: line_search_fn must be 'strong_wolfe'"),
        ("--optimizer lbfgs --accumulate 2", "no several minibatches"),
        ("--schedule stop:step_size=3", "there is no schedule 'stop'. did you mean step? there are step, multistep"),
        ("--schedule step", "the schedule StepLR needs step_size, as in step:step_size=…. StepLR has step_size, gamma"),
        ("--schedule step:step_size=2.5", "step_size of StepLR should be a whole number, and is '2.5'"),
        ("--schedule step:step_size=0", "the schedule StepLR: step_size must be at least 1"),
        ("--schedule multistep:milestones=1,x", "MultiStepLR has no option 'x'"),
        ("--schedule onecycle:max_lr=1 --optimizer adagrad", "Adagrad has neither momentum nor betas"),
        ("--schedule constant --schedule cosine:at=5 --schedule step:step_size=1", "says when it begins"),
        ("--schedule constant:at=3", "says when it begins"),
        ("--schedule constant --schedule plateau", "the schedule plateau goes with no other"),
        ("--clip-norm -1", "should not be negative"),
        ("--accumulate 0", "should be a whole number from 1"),
    ],
)
def test_wrong_optimisers_and_schedules(
    words: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(tmp_path / "f", *words.split(), "--json") == 2
    (error,) = json.loads(capsys.readouterr().out)["errors"]
    assert said in f"{error['message']}. {error['help']}"
    assert not (tmp_path / "f").exists()


def test_a_folder_that_was_changed_is_not_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "f"
    assert train(folder, "--epochs", "1") == 0
    module = folder / "thermometer.py"
    text = module.read_text()
    module.write_text(text + "\nimport os\n")
    capsys.readouterr()
    assert main(["predict", str(folder), "--data", str(DATA)]) == 1
    assert "is not the module that was trained" in capsys.readouterr().err
    run = json.loads((folder / "run.json").read_text())
    import hashlib

    run["module_sha256"] = hashlib.sha256(module.read_bytes()).hexdigest()
    (folder / "run.json").write_text(json.dumps(run))
    assert main(["predict", str(folder), "--data", str(DATA)]) == 1
    assert "is not run" in capsys.readouterr().err
    run["module"] = "../thermometer.py"
    (folder / "run.json").write_text(json.dumps(run))
    assert main(["predict", str(folder), "--data", str(DATA)]) == 1
    assert main(["predict", str(tmp_path / "nowhere"), "--data", str(DATA)]) == 1


def test_a_module_that_is_not_ours_is_kept(tmp_path: Path) -> None:
    (tmp_path / "f").mkdir()
    (tmp_path / "f" / "thermometer.py").write_text("mine\n")
    assert train(tmp_path / "f", "--epochs", "1") == 1
    assert (tmp_path / "f" / "thermometer.py").read_text() == "mine\n"


def test_outputs_without_rows_have_a_line_for_each_position_of_the_axis_that_leads_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = tmp_path / "curve.model"
    model.write_text(
        "batch n\ninput x[n], y[n], at[m]\nparam w = 2\naxis k: 2\nminimize mean((w * x - y)^2)\n"
        "output line = w * at, powers = at^index[k]\n"
    )
    (tmp_path / "xy.csv").write_text("x,y\n1,2\n2,4\n3,6\n")
    (tmp_path / "at.csv").write_text("at\n5\n7\n")
    assert main(["train", str(model), "--data", str(tmp_path / "xy.csv"), "--out", str(tmp_path / "f")]) == 0
    capsys.readouterr()
    assert main(["predict", str(tmp_path / "f"), "--data", str(tmp_path / "at.csv")]) == 0
    rows = list(csv.DictReader(capsys.readouterr().out.splitlines()))
    assert list(rows[0]) == ["line", "powers.0", "powers.1"]
    assert [[float(value) for value in row.values()] for row in rows] == [[10, 1, 5], [14, 1, 7]]


# ------------------------------------------------------------------------ noise, several objectives, states, two modes


def ring(folder: Path) -> Path:
    angle = np.random.default_rng(0).uniform(0, 2 * np.pi, 40)
    np.savez(folder / "ring.npz", real=np.stack([np.cos(angle), np.sin(angle)], 1))
    return folder / "ring.npz"


def test_two_objectives_are_told_by_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, more = ring(tmp_path), ("--epochs", "20", "--batch", "10", "--lr", "0.1", "--seed", "3")
    model = MODELS / "gan.model"
    assert train(tmp_path / "a", *more, model=model, data=data) == 0
    told = [line for line in capsys.readouterr().err.splitlines() if line.startswith("epoch")]
    assert len(told) == 10
    assert all(re.fullmatch(r"epoch +\d+  judge \d\.\d{6}  forge \d\.\d{6}", line) for line in told)
    rows = metrics(tmp_path / "a")
    assert list(rows[0]) == ["epoch", "judge", "forge", "lr"]
    assert len(rows) == 20
    run = json.loads((tmp_path / "a" / "run.json").read_text())
    assert (run["objective"], run["loss"], run["epochs_done"]) == (None, None, 20)
    assert run["losses"] == {name: rows[-1][name] for name in ("judge", "forge")}
    assert train(tmp_path / "b", *more, model=model, data=data) == 0
    assert files(tmp_path / "a") == files(tmp_path / "b")
    capsys.readouterr()
    drawn = []
    for seed in ("1", "1", "2"):
        assert main(["predict", str(tmp_path / "a"), "--data", str(data), "--seed", seed]) == 0
        drawn.append(capsys.readouterr().out)
    assert drawn[0] == drawn[1] != drawn[2]
    assert len(drawn[0].splitlines()) == 41


def test_states_are_saved_and_predict(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    random = np.random.default_rng(1)
    x = 5 + 3 * random.normal(size=(60, 3))
    np.savez(tmp_path / "d.npz", x=x, y=x.sum(1))
    more = ("--epochs", "5", "--batch", "20", "--lr", "0.01")
    assert train(tmp_path / "f", *more, model=MODELS / "regularised.model", data=tmp_path / "d.npz") == 0
    assert "norm.running_mean = [" in capsys.readouterr().out
    with np.load(tmp_path / "f" / "parameters.npz") as found:
        assert "norm.running_var" in found.files
        assert (found["norm.running_mean"] != 0).all()
    # A prediction of one row is that of the row among others: nothing of the neighbours is in it.
    assert main(["predict", str(tmp_path / "f"), "--data", str(tmp_path / "d.npz")]) == 0
    whole = capsys.readouterr().out.splitlines()
    np.savez(tmp_path / "one.npz", x=x[:1])
    assert main(["predict", str(tmp_path / "f"), "--data", str(tmp_path / "one.npz")]) == 0
    one = capsys.readouterr().out.splitlines()
    assert float(one[1]) == pytest.approx(float(whole[1]), rel=1e-12)


def test_what_diverges_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = tmp_path / "two.model"
    model.write_text("input x[n]\nparam a = 1, b = 1\nminimize fine = a^2 over a\nminimize wild = mean(b*x)^4 over b\n")
    np.savez(tmp_path / "d.npz", x=np.ones(3))
    assert train(tmp_path / "f", "--lr", "10", model=model, data=tmp_path / "d.npz") == 1
    assert re.search(r"error: (wild is (inf|nan) at step|the gradient of b is not finite)", capsys.readouterr().err)


def test_what_is_frozen_stays(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("--epochs", "400", "--lr", "0.1")
    assert train(tmp_path / "fitted", *words, "--freeze", "w") == 0
    t_u, t_c = np.loadtxt(DATA, delimiter=",", skiprows=1).T
    found = np.load(tmp_path / "fitted" / "parameters.npz")
    assert found["w"] == 1
    assert found["b"] == pytest.approx(np.mean(t_c - t_u))
    assert json.loads((tmp_path / "fitted" / "run.json").read_text())["frozen"] == ["w"]
    assert main(["predict", str(tmp_path / "fitted"), "--data", str(DATA)]) == 0
    capsys.readouterr()
    assert train(tmp_path / "none", *words, "--freeze", "*") == 2
    assert "every parameter is frozen" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()
    assert train(tmp_path / "none", *words, "--freeze", "v") == 1
    assert "no parameter 'v'" in capsys.readouterr().err
