"""The morning as a DAG of Airflow 3: the command does the work, Airflow says when.

The worker that runs it needs the data folder on a disk of its own machine (the log is for a local
POSIX disk), and is the user that owns it. Nothing of the workbench is imported here: Airflow and
the workbench each keep an environment of their own.

`aiops-wb daily` runs every day that is due, so that a night that was missed is made up for by the
next one, and nothing depends on Airflow's own dates; it may be run again at any time. Exit codes
fail a task: 1 refused, 3 some steps failed, 4 all.
"""

from datetime import datetime, timedelta

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG

COMMAND = "/srv/workbench/.venv/bin/aiops-wb"
WHERE = "--config /srv/workbench/aiops.toml"

with DAG(
    dag_id="aiops_wb_morning",
    schedule="0 5 * * *",
    start_date=datetime(2026, 1, 1),
    catchup=False,  # what is due is known to the workbench
    max_active_runs=1,  # one writer at a time; a second would be refused, with its name
    default_args={"retries": 2, "retry_delay": timedelta(minutes=10)},
    tags=["aiops_wb"],
) as dag:
    morning = BashOperator(
        task_id="morning",
        bash_command=f"{COMMAND} daily {WHERE}",
        execution_timeout=timedelta(hours=2),
    )
    doctor = BashOperator(
        task_id="doctor",  # says what is wrong around the workbench; 1 where something is
        bash_command=f"{COMMAND} doctor {WHERE}",
        retries=0,
        trigger_rule="all_done",
    )
    backup = BashOperator(
        task_id="backup",
        bash_command=f"{COMMAND} backup /mnt/backups/workbench --keep 14 {WHERE}",
    )
    morning >> [doctor, backup]
