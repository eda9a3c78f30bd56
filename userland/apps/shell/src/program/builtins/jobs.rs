//! Commands about jobs.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::Output;
use crate::program::job::{INTERRUPTED, Job};
use crate::program::launch;
use crate::program::shell::Shell;

impl Shell {
    /// Tells of jobs in the background that have ended.
    pub fn report_jobs(&mut self) {
        while self.turn() {}
        let mut index = 0;
        while let Some(job) = self.jobs.get(index) {
            if !job.is_done() {
                index += 1;
                continue;
            }
            let job = self.jobs.remove(index);
            let status = match job.final_status() {
                0 => String::from("done"),
                status => format!("status {status}"),
            };
            let text = format!("[{}] {status}: {}\n", job.number, job.text);
            self.console.print(text.as_bytes());
        }
    }

    /// The job that an argument means: `%2`, `2`, or the last one.
    fn job_of(&self, argument: Option<&String>) -> Result<usize, String> {
        let wanted = match argument {
            None => self.jobs.last().map(|job| job.number),
            Some(text) => text.trim_start_matches('%').parse().ok(),
        };
        let is_there = |number: &usize| self.jobs.iter().any(|job| job.number == *number);
        wanted.filter(is_there).ok_or_else(|| match argument {
            None => String::from("there is no job"),
            Some(text) => format!("there is no job {text}"),
        })
    }

    fn job_mut(&mut self, number: usize) -> Option<&mut Job> {
        self.jobs.iter_mut().find(|job| job.number == number)
    }
}

pub fn jobs(shell: &mut Shell, _: &[String], output: &mut Output) -> u64 {
    while shell.turn() {}
    for job in &shell.jobs {
        let state = match (job.is_done(), job.is_stopped) {
            (true, _) => "done",
            (_, true) => "stopped",
            _ => "running",
        };
        output.line(&format!("[{}] {state}: {}", job.number, job.text));
    }
    0
}

pub fn fg(shell: &mut Shell, arguments: &[String], output: &mut Output) -> u64 {
    let number = match shell.job_of(arguments.first()) {
        Ok(number) => number,
        Err(text) => return output.fail(&format!("fg: {text}")),
    };
    if let Some(job) = shell.job_mut(number) {
        let text = format!("{}\n", job.text);
        launch::go_on(job);
        shell.console.print(text.as_bytes());
    }
    shell.wait_for(number)
}

pub fn bg(shell: &mut Shell, arguments: &[String], output: &mut Output) -> u64 {
    let number = match shell.job_of(arguments.first()) {
        Ok(number) => number,
        Err(text) => return output.fail(&format!("bg: {text}")),
    };
    if let Some(job) = shell.job_mut(number) {
        launch::go_on(job);
        output.line(&format!("[{number}] {}", job.text));
    }
    0
}

pub fn wait(shell: &mut Shell, arguments: &[String], output: &mut Output) -> u64 {
    let mut numbers = Vec::new();
    for argument in arguments {
        match shell.job_of(Some(argument)) {
            Ok(number) => numbers.push(number),
            Err(text) => return output.fail(&format!("wait: {text}")),
        }
    }
    if arguments.is_empty() {
        let running = shell.jobs.iter().filter(|job| !job.is_stopped);
        numbers.extend(running.map(|job| job.number));
    }
    let mut status = 0;
    for number in numbers {
        status = shell.wait_for(number);
        if shell.is_interrupted {
            return INTERRUPTED;
        }
    }
    status
}
