"""Four modelling libraries behind the few calls the embedding tests make; each skips visibly when not installed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import pytest

#: SOS1 sets and binaries hold within the integer tolerance times a bound, which the default makes visible.
GUROBI = {"MIPGap": 0.0, "IntFeasTol": 1e-9, "FeasibilityTol": 1e-9}


class Library(ABC):
    """A model of one library."""

    model: Any
    #: Formulations the library has no constraints for.
    refused: ClassVar[frozenset[str]] = frozenset()

    @abstractmethod
    def variable(self, lower: float | None, upper: float | None, integer: bool = False) -> Any: ...

    @abstractmethod
    def constrain(self, expression: Any, upper: float) -> None:
        """Add ``expression <= upper``."""

    @abstractmethod
    def aim(self, expression: Any, maximize: bool = True) -> None:
        """Set the objective without solving."""

    @abstractmethod
    def maximize(self, expression: Any) -> float:
        """Solve to optimality and return the objective."""

    @abstractmethod
    def value(self, variable: Any) -> float: ...

    @abstractmethod
    def reopen(self) -> None:
        """Allow changes after a solve, where that takes a call."""

    def variables(self, lower: Any, upper: Any, integer: bool = False) -> list[Any]:
        return [self.variable(low, high, integer) for low, high in zip(lower, upper, strict=True)]


class HighspyLibrary(Library):
    refused = frozenset({"sos1", "indicator"})

    def __init__(self) -> None:
        highspy = pytest.importorskip("highspy")
        self.model = highspy.Highs()
        self.model.silent()
        self.model.setOptionValue("mip_rel_gap", 0.0)
        self.highspy = highspy

    def variable(self, lower, upper, integer=False):
        infinity = self.highspy.kHighsInf
        kind = self.highspy.HighsVarType.kInteger if integer else self.highspy.HighsVarType.kContinuous
        return self.model.addVariable(
            lb=-infinity if lower is None else lower, ub=infinity if upper is None else upper, type=kind
        )

    def constrain(self, expression, upper):
        self.model.addConstr(expression <= upper)

    def aim(self, expression, maximize=True):
        sense = self.highspy.ObjSense.kMaximize if maximize else self.highspy.ObjSense.kMinimize
        self.model.setObjective(1.0 * expression, sense)

    def maximize(self, expression):
        self.model.maximize(1.0 * expression)
        assert self.model.getModelStatus() == self.highspy.HighsModelStatus.kOptimal
        return float(self.model.getInfo().objective_function_value)

    def value(self, variable):
        return float(self.model.val(variable))

    def reopen(self):
        pass


class GurobipyLibrary(Library):
    def __init__(self) -> None:
        self.gurobipy = pytest.importorskip("gurobipy")
        environment = self.gurobipy.Env(params={"OutputFlag": 0})
        self.model = self.gurobipy.Model(env=environment)
        for parameter, value in GUROBI.items():
            self.model.setParam(parameter, value)

    def variable(self, lower, upper, integer=False):
        infinity = self.gurobipy.GRB.INFINITY
        return self.model.addVar(
            lb=-infinity if lower is None else lower,
            ub=infinity if upper is None else upper,
            vtype="I" if integer else "C",
        )

    def constrain(self, expression, upper):
        self.model.addConstr(expression <= upper)

    def aim(self, expression, maximize=True):
        sense = self.gurobipy.GRB.MAXIMIZE if maximize else self.gurobipy.GRB.MINIMIZE
        self.model.setObjective(expression, sense)

    def maximize(self, expression):
        self.model.setObjective(expression, self.gurobipy.GRB.MAXIMIZE)
        self.model.optimize()
        assert self.model.Status == self.gurobipy.GRB.OPTIMAL
        return float(self.model.ObjVal)

    def value(self, variable):
        return float(variable.X)

    def reopen(self):
        pass


class PyscipoptLibrary(Library):
    def __init__(self) -> None:
        pyscipopt = pytest.importorskip("pyscipopt")
        self.model = pyscipopt.Model()
        self.model.hideOutput()

    def variable(self, lower, upper, integer=False):
        return self.model.addVar(lb=lower, ub=upper, vtype="I" if integer else "C")

    def constrain(self, expression, upper):
        self.model.addCons(expression <= upper)

    def aim(self, expression, maximize=True):
        self.model.setObjective(1.0 * expression, "maximize" if maximize else "minimize")

    def maximize(self, expression):
        self.model.setObjective(1.0 * expression, "maximize")
        self.model.optimize()
        assert self.model.getStatus() == "optimal"
        return float(self.model.getObjVal())

    def value(self, variable):
        return float(self.model.getVal(variable))

    def reopen(self):
        self.model.freeTransform()


class PyomoLibrary(Library):
    refused = frozenset({"indicator"})

    def __init__(self) -> None:
        self.pyo = pytest.importorskip("pyomo.environ")
        self.solver = self.pyo.SolverFactory("appsi_highs")
        if not self.solver.available():
            pytest.skip("Pyomo finds no HiGHS")
        self.model = self.pyo.ConcreteModel()
        self.model.decisions = self.pyo.VarList()
        self.model.limits = self.pyo.ConstraintList()

    def variable(self, lower, upper, integer=False):
        variable = self.model.decisions.add()
        variable.setlb(lower)
        variable.setub(upper)
        variable.domain = self.pyo.Integers if integer else self.pyo.Reals
        return variable

    def constrain(self, expression, upper):
        self.model.limits.add(expression <= upper)

    def aim(self, expression, maximize=True):
        self.model.del_component("goal")
        sense = self.pyo.maximize if maximize else self.pyo.minimize
        self.model.goal = self.pyo.Objective(expr=1.0 * expression, sense=sense)

    def maximize(self, expression):
        self.aim(expression)
        solver, options = self.solver, {"mip_rel_gap": 0.0}
        if any(True for _ in self.model.component_data_objects(self.pyo.SOSConstraint)):
            solver, options = self.pyo.SolverFactory("gurobi_direct"), GUROBI  # Pyomo's HiGHS takes no SOS1 sets
            if not solver.available(exception_flag=False):
                pytest.skip("Pyomo finds no Gurobi, and its HiGHS takes no SOS1 sets")
        outcome = solver.solve(self.model, options=options)
        self.pyo.assert_optimal_termination(outcome)
        return float(self.pyo.value(self.model.goal))

    def value(self, variable):
        return float(variable.value)

    def reopen(self):
        pass


LIBRARIES: dict[str, type[Library]] = {
    "gurobipy": GurobipyLibrary,
    "highspy": HighspyLibrary,
    "pyomo": PyomoLibrary,
    "pyscipopt": PyscipoptLibrary,
}
