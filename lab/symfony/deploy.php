<?php

namespace Deployer;

// As the runbook has it, in the state that production needs. bin/dep stands in for Deployer
// in the lab and leaves the workers alone: restarting them is rpctl's part.
task('deploy:restart_workers', function () {
    run('sudo systemctl restart messenger_worker@*.service');
    // run('sudo systemctl restart messenger_worker_async@*.service');
    // run('sudo systemctl restart messenger_worker_dmp@*.service');
    // run('sudo systemctl restart messenger_worker_export@*.service');
});
